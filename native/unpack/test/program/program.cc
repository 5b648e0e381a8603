#include "program.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <filesystem>
#include <poll.h>
#include <sched.h>
#include <csignal>
#include <sstream>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../../digest.h"

namespace fs = std::filesystem;

void note(const char *what, const std::string &text) {
    std::string line = std::string("# ") + what + ": ";
    for (char c : text) line += c == '\n' ? "\n#   " : std::string(1, c);
    puts(line.c_str());
}

void same(long found, long wanted, const std::string &name) {
    same(std::to_string(found), std::to_string(wanted), name);
}

void has(const std::string &text, const std::string &part, const std::string &name) {
    if (!ok(text.find(part) != std::string::npos, name)) note("found", text), note("wanted a text with", part);
}

static std::string program;

[[noreturn]] static void give_up(const std::string &what) {
    printf("Bail out! %s: %s\n", what.c_str(), strerror(errno));
    exit(1);
}

static void remove_place() {
    std::error_code ignored;
    fs::remove_all(place(), ignored);
}

const std::string &place() {
    static const std::string path = [] {
        char name[] = "/tmp/jangada-unpack-test-XXXXXX";
        if (!mkdtemp(name)) give_up("mkdtemp");
        return std::string(name);
    }();
    return path;
}

void use_program(int argc, char **argv) {
    if (argc != 2) give_up("usage: TEST PROGRAM");
    program = fs::absolute(argv[1]);
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    if (unshare(CLONE_NEWNS) < 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
        give_up("mount namespace: these tests run as root");
    // Sanitizers end a process with 1 otherwise, which is our own code for bad input.
    setenv("ASAN_OPTIONS", "exitcode=99:detect_leaks=0", 1);
    setenv("UBSAN_OPTIONS", "halt_on_error=1:exitcode=99", 1);
    place();
    atexit(remove_place);
}

bool is_sanitized() { return program.ends_with("-san"); }

std::string fresh(const std::string &name) {
    std::string path = place() + "/" + name;
    fs::remove_all(path);
    fs::create_directory(path);
    return path;
}

void write_file(const std::string &path, const std::string &content) { std::ofstream(path) << content; }

std::string read_file(const std::string &path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

Input once(std::string text) { return repeated(std::move(text), 1); }

Input repeated(std::string text, uint64_t count) {
    return [=]() mutable { return count > 0 ? (count--, text) : std::string(); };
}

std::string Result::field(const std::string &name) const {
    std::istringstream lines(out);
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
    return "";
}

// Not wait4(2)'s: that one remembers the memory of the test itself, from before execve.
static long peak_of(pid_t pid) {
    std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
    size_t at = status.find("VmHWM:");
    return at == std::string::npos ? 0 : atol(status.c_str() + at + 6);
}

static Result execute(const std::vector<std::string> &command, const Input &input) {
    int in[2], out[2], err[2];
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0) give_up("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        std::vector<char *> argv;
        for (const std::string &word : command) argv.push_back(const_cast<char *>(word.c_str()));
        argv.push_back(nullptr);
        execvp(argv[0], argv.data());
        _exit(127);
    }
    close(in[0]), close(out[1]), close(err[1]);
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    Result result{};
    std::string chunk = input ? input() : "";
    size_t sent = 0;
    pollfd polled[3] = {{in[1], POLLOUT, 0}, {out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
    auto finish_input = [&] { close(polled[0].fd), polled[0].fd = -1; };
    if (chunk.empty()) finish_input();
    while (polled[1].fd >= 0 || polled[2].fd >= 0) {
        if (poll(polled, 3, 120'000) <= 0) {
            kill(pid, SIGKILL); // its code will say so
            break;
        }
        if (polled[0].revents) {
            ssize_t count = write(polled[0].fd, chunk.data() + sent, chunk.size() - sent);
            if (count > 0) sent += static_cast<size_t>(count);
            if (sent == chunk.size()) {
                chunk = input(), sent = 0;
                if (long peak = peak_of(pid)) result.peak_kib = peak;
            }
            if (chunk.empty() || (count < 0 && errno != EAGAIN)) finish_input();
        }
        for (int i = 1; i < 3; i++) {
            if (!polled[i].revents) continue;
            char buffer[16384];
            ssize_t count = read(polled[i].fd, buffer, sizeof buffer);
            if (count > 0)
                (i == 1 ? result.out : result.err).append(buffer, static_cast<size_t>(count));
            else
                polled[i].fd = -1;
        }
    }
    if (polled[0].fd >= 0) finish_input();
    close(out[0]), close(err[0]);
    int status;
    waitpid(pid, &status, 0);
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return result;
}

Result run(const std::vector<std::string> &arguments, const Input &input) {
    std::vector<std::string> command{program};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return execute(command, input);
}

Result run_layer(const std::string &target, const std::string &blob, const std::vector<std::string> &options) {
    std::vector<std::string> arguments{"layer", "--target", target};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run(arguments, once(blob));
}

int run_quietly(const std::vector<std::string> &command, const std::string &input) {
    Result result = execute(command, once(input));
    if (result.code != 0) printf("# %s: %s", command[0].c_str(), result.err.c_str());
    return result.code;
}

static std::string attributes(const std::string &path) {
    char names[4096];
    ssize_t size = llistxattr(path.c_str(), names, sizeof names);
    std::vector<std::string> lines;
    for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(strlen(names + at)) + 1) {
        char value[4096];
        ssize_t length = lgetxattr(path.c_str(), names + at, value, sizeof value);
        lines.push_back(std::string(" ") + (names + at) + "=");
        for (ssize_t i = 0; i < length; i++) {
            char hex[3];
            snprintf(hex, sizeof hex, "%02x", static_cast<unsigned char>(value[i]));
            lines.back() += hex;
        }
    }
    std::sort(lines.begin(), lines.end());
    std::string text;
    for (const std::string &line : lines) text += line;
    return text;
}

static std::string describe(const std::string &root, const std::string &path, bool with_times) {
    struct stat st;
    if (lstat(path.c_str(), &st) < 0) return path + ": " + strerror(errno) + "\n";
    std::ostringstream line;
    line << (path == root ? "." : path.substr(root.size() + 1)) << " " << std::oct << st.st_mode << std::dec << " "
         << st.st_uid << ":" << st.st_gid;
    if (!S_ISDIR(st.st_mode)) line << " links=" << st.st_nlink;
    if (with_times) line << " " << st.st_mtim.tv_sec << "." << st.st_mtim.tv_nsec;
    if (S_ISREG(st.st_mode)) {
        std::string content = read_file(path);
        Sha256 sha;
        sha.update(content.data(), content.size());
        line << " " << st.st_size << " " << sha.finish();
    }
    if (S_ISLNK(st.st_mode)) line << " -> " << fs::read_symlink(path).string();
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) line << " " << major(st.st_rdev) << ":" << minor(st.st_rdev);
    line << attributes(path) << "\n";
    return line.str();
}

std::string listing(const std::string &directory, bool with_times) {
    std::vector<std::string> paths{directory};
    for (const auto &entry : fs::recursive_directory_iterator(directory)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    std::string text;
    for (const std::string &path : paths) text += describe(directory, path, with_times);
    return text;
}
