// Archives that no build tool would write, and good ones to compare with.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace forge {

using Records = std::vector<std::pair<std::string, std::string>>;

struct Entry {
    char type = '0';
    std::string path;
    std::string text{}; // content of a file, target of a link
    uint32_t mode = 0644;
    uint32_t uid = 0, gid = 0;
    unsigned major = 0, minor = 0;
    int64_t mtime = 1'500'000'000;
    Records pax{};
};

Entry file(std::string path, std::string content = "x");
Entry directory(std::string path, uint32_t mode = 0755);
Entry soft_link(std::string path, std::string target);
Entry hard_link(std::string path, std::string target);

// One header block as POSIX has it, with its checksum. `size` is what it claims, whatever follows.
std::string header(const Entry &entry, uint64_t size);
// The same with other bytes in a field, and the checksum that goes with them.
std::string with_field(std::string header, size_t at, const std::string &bytes);
// A header of this type ('x', 'g', 'L', 'K') and its padded content.
std::string extension(char type, const std::string &content);
std::string pax(const Records &records, char type = 'x');
std::string padded(std::string content);
std::string entry(const Entry &entry);

std::string archive(const std::vector<Entry> &entries);
std::string ended(std::string entries); // adds the mark of the end

std::string gzip(const std::string &data);
std::string zstd(const std::string &data);

} // namespace forge
