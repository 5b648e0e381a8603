#include "usage.h"

#include <chrono>
#include <climits>
#include <set>
#include <sys/stat.h>
#include <vector>

#include "failure.h"
#include "tree.h"

namespace {

using Clock = std::chrono::steady_clock;

uint64_t ms_since(Clock::time_point begin) {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count());
}

// Depth first. Of the tree only the way down and its branches still to be taken are remembered: whoever makes a deep or a wide tree
// has it on disk, and we have its names once.
class Count {
public:
    Count(int top, uint64_t limit_ms) : top_(top), limit_ms_(limit_ms) {}

    Usage run() {
        struct stat st;
        if (fstat(top_, &st) == 0) add(st);
        visit(top_, none);
        while (!branches_.empty() && ms_since(begin_) < limit_ms_) {
            if (branches_.back().entered) {
                branches_.pop_back();
                continue;
            }
            branches_.back().entered = true;
            // What was removed or moved meanwhile is counted where it is now, or next time.
            if (Fd directory = open_last()) visit(directory.get(), branches_.size() - 1);
        }
        usage_.ms = ms_since(begin_);
        return usage_;
    }

private:
    struct Branch {
        size_t parent; // in branches_; none for what is in the top
        std::string name;
        bool entered = false;
    };
    static constexpr size_t none = SIZE_MAX;

    void add(const struct stat &st) {
        if (st.st_nlink > 1 && !S_ISDIR(st.st_mode) && !linked_.emplace(st.st_dev, st.st_ino).second) return;
        usage_.bytes += static_cast<uint64_t>(st.st_blocks) * 512;
        usage_.inodes++;
    }

    void visit(int directory, size_t branch) {
        tree_for_each_name(directory, [&](const char *name) {
            struct stat st;
            if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0) return;
            add(st);
            if (S_ISDIR(st.st_mode)) branches_.push_back({branch, name});
        });
    }

    // A path is looked up in parts that the kernel takes.
    Fd open_last() const {
        std::vector<const std::string *> names;
        for (size_t at = branches_.size() - 1; at != none; at = branches_[at].parent)
            names.push_back(&branches_[at].name);
        Fd from;
        std::string path;
        for (auto name = names.rbegin(); name != names.rend(); ++name) {
            if (path.size() + (*name)->size() + 2 > PATH_MAX) {
                from = tree_open(from ? from.get() : top_, path.c_str());
                if (!from) return from;
                path.clear();
            }
            path += (path.empty() ? "" : "/") + **name;
        }
        return tree_open(from ? from.get() : top_, path.c_str());
    }

    int top_;
    uint64_t limit_ms_;
    Clock::time_point begin_ = Clock::now();
    Usage usage_;
    std::vector<Branch> branches_;
    std::set<std::pair<dev_t, ino_t>> linked_;
};

} // namespace

std::optional<Usage> count_tree(int parent, const std::string &path, uint64_t limit_ms) {
    Fd top = tree_open(parent, path.c_str());
    if (!top) return std::nullopt;
    return Count(top.get(), limit_ms).run();
}
