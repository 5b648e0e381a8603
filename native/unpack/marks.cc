#include "marks.h"

#include <unistd.h>

#include "failure.h"

namespace {

constexpr size_t piece = 64 << 10;
const std::string object = "marks of a layer";

void write_all(int fd, const std::string &text) {
    for (size_t at = 0; at < text.size();) {
        ssize_t written = ::write(fd, text.data() + at, text.size() - at);
        if (written < 0) local_failure(errno, object);
        at += static_cast<size_t>(written);
    }
}

} // namespace

void Marks::remove(const std::string &path, Mark mark) {
    auto found = paths_.find(path);
    if (found == paths_.end()) return;
    found->second &= static_cast<unsigned char>(~mark);
    if (found->second == 0) paths_.erase(found);
}

void Marks::forget(const std::string &path) {
    if (paths_.empty()) return;
    paths_.erase(path);
    std::string below = path + "/";
    auto from = paths_.lower_bound(below), to = from;
    while (to != paths_.end() && to->first.starts_with(below)) ++to;
    paths_.erase(from, to);
}

bool Marks::has(const std::string &path, Mark mark) const {
    auto found = paths_.find(path);
    return found != paths_.end() && found->second & mark;
}

bool Marks::is_cut_off(const std::string &path) const {
    if (paths_.empty()) return false;
    for (size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0; slash = path.rfind('/', slash - 1))
        if (has(path.substr(0, slash), opaque)) return true;
    return has("", opaque);
}

void Marks::write(int fd) const {
    std::string text;
    for (const auto &[path, marks] : paths_) {
        text += static_cast<char>('0' + marks);
        text += path;
        text += '\0';
        if (text.size() < piece) continue;
        write_all(fd, text);
        text.clear();
    }
    write_all(fd, text);
}

Marks Marks::read(int fd) {
    Marks marks;
    std::string text;
    for (;;) {
        size_t have = text.size();
        text.resize(have + piece);
        ssize_t got = ::read(fd, text.data() + have, piece);
        if (got < 0) local_failure(errno, object);
        text.resize(have + static_cast<size_t>(got));
        size_t at = 0;
        for (size_t end; (end = text.find('\0', at)) != std::string::npos; at = end + 1)
            if (end > at) marks.paths_[text.substr(at + 1, end - at - 1)] = static_cast<unsigned char>(text[at] - '0');
        text.erase(0, at);
        if (got == 0) return marks;
    }
}
