#include "usage.h"

#include <chrono>
#include <climits>
#include <dirent.h>
#include <new>
#include <set>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <vector>

#include "failure.h"
#include "tree.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t most_linked = 1'000'000; // files of several names that are told apart; of more, each name is one

uint64_t ms_since(Clock::time_point begin) {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count());
}

// Depth first, a directory some names at a time: remembered are the way down and, of each directory on it, the place that was reached
// and the names read last. Millions of directories take no more memory than one.
class Count {
public:
    Count(int top, uint64_t limit_ms) : top_(top), limit_ms_(limit_ms) {}

    Usage run() {
        struct stat st;
        if (fstat(top_, &st) == 0) add(st);
        try {
            way_.emplace_back();
            while (!way_.empty() && ms_since(begin_) < limit_ms_) step();
        } catch (const std::bad_alloc &) {
            // A way of very many levels: what was counted is there.
        }
        usage_.complete = way_.empty();
        usage_.ms = ms_since(begin_);
        return usage_;
    }

private:
    struct Level {
        std::string name; // empty: the top
        off_t reached = 0;
        bool read = false; // to its end
        std::vector<std::string> directories;
    };

    void step() {
        Level &level = way_.back();
        if (!level.directories.empty()) {
            std::string name = std::move(level.directories.back());
            level.directories.pop_back();
            way_.push_back({std::move(name), 0, false, {}});
        } else if (level.read) {
            way_.pop_back();
        } else {
            read_on(level);
        }
    }

    void add(const struct stat &st) {
        bool linked = st.st_nlink > 1 && !S_ISDIR(st.st_mode) && linked_.size() < most_linked;
        if (linked && !linked_.emplace(st.st_dev, st.st_ino).second) return;
        usage_.bytes += static_cast<uint64_t>(st.st_blocks) * 512;
        usage_.inodes++;
    }

    void read_on(Level &level) {
        level.read = true;
        // What was removed or moved meanwhile is counted where it is now, or next time.
        Fd directory = open_last();
        if (!directory || lseek(directory.get(), level.reached, SEEK_SET) < 0) return;
        alignas(dirent64) char names[32 << 10];
        long size = syscall(SYS_getdents64, directory.get(), names, sizeof names);
        if (size < 0) local_failure(errno, "directory of a tree");
        for (long at = 0; at < size;) {
            auto *entry = reinterpret_cast<const dirent64 *>(names + at);
            visit(directory.get(), entry->d_name, level);
            level.reached = entry->d_off;
            level.read = false;
            at += entry->d_reclen;
        }
    }

    void visit(int directory, const char *name, Level &level) {
        struct stat st;
        if (std::string_view(name) == "." || std::string_view(name) == "..") return;
        if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) return;
        add(st);
        if (S_ISDIR(st.st_mode)) level.directories.emplace_back(name);
    }

    // A path is looked up in parts that the kernel takes.
    Fd open_last() const {
        Fd from;
        std::string path(1, '.');
        for (size_t at = 1; at < way_.size(); at++) {
            if (path.size() + way_[at].name.size() + 2 > PATH_MAX) {
                from = tree_open(from ? from.get() : top_, path.c_str());
                if (!from) return from;
                path.assign(1, '.');
            }
            path += "/" + way_[at].name;
        }
        return tree_open(from ? from.get() : top_, path.c_str());
    }

    int top_;
    uint64_t limit_ms_;
    Clock::time_point begin_ = Clock::now();
    Usage usage_;
    std::vector<Level> way_;
    std::set<std::pair<dev_t, ino_t>> linked_;
};

} // namespace

std::optional<Usage> count_tree(int parent, const std::string &path, uint64_t limit_ms) {
    Fd top = tree_open(parent, path.c_str());
    if (!top) return std::nullopt;
    return Count(top.get(), limit_ms).run();
}
