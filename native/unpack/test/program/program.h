// Running the unpacker on forged input, and looking at what it leaves behind.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "../tap.h"

// Besides those of tap.h.
void note(const char *what, const std::string &text);
void same(long found, long wanted, const std::string &name);
void has(const std::string &text, const std::string &part, const std::string &name);

struct Result {
    int code; // exit code, or minus the signal
    std::string out, err;
    long peak_kib; // resident, as last seen after a piece of input

    std::string field(const std::string &name) const; // of an answer of `key value` lines
};

// The program's path is argv[1] of every test that uses it.
void use_program(int argc, char **argv);
// True for the build with sanitizers, whose memory tells nothing.
bool is_sanitized();

// More input, or an empty string at the end.
using Input = std::function<std::string()>;
Input once(std::string text);
// `count` times the same.
Input repeated(std::string text, uint64_t count);

Result run(const std::vector<std::string> &arguments, const Input &input = {});
Result run_layer(const std::string &target, const std::string &blob, const std::vector<std::string> &options = {});
int run_quietly(const std::vector<std::string> &command, const std::string &input = "");

// A directory of this test, removed when the process ends; the mount namespace is the test's own too.
const std::string &place();
std::string fresh(const std::string &name); // an empty directory in it
void write_file(const std::string &path, const std::string &content);
std::string read_file(const std::string &path);

// Every object below a directory, one a line: kind, mode, owner, links, time, size, target, xattrs, digest of the content.
std::string listing(const std::string &directory, bool with_times = true);
