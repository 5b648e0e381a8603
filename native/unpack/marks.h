// What the tree of a layer cannot say about its own directories, and what a stack of layers needs to know.
#pragma once
#include <map>
#include <string>

class Marks {
public:
    enum Mark : unsigned char {
        implied = 1,   // no entry of the archive is about it: mode and owner are those of the lower layers' directory
        opaque = 2,    // nothing of lower layers is seen in it
        whiteouts = 4, // has some
    };

    void add(const std::string &path, Mark mark) { paths_[path] |= mark; }
    void remove(const std::string &path, Mark mark);
    // The path and all below it.
    void forget(const std::string &path);

    bool has(const std::string &path, Mark mark) const;
    // One of the directories above it is opaque.
    bool is_cut_off(const std::string &path) const;
    const std::map<std::string, unsigned char> &paths() const { return paths_; }

    // Each path is a byte of marks, a digit, and a string with its NUL.
    void write(int fd) const;
    static Marks read(int fd);

private:
    std::map<std::string, unsigned char> paths_; // bounded by the process's memory limit
};
