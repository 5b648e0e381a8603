#include "way.h"

#include <algorithm>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <vector>

#include "failure.h"
#include "in_root.h"
#include "overlay_marks.h"
#include "tar_header.h"

namespace {

constexpr int most_links = 40; // path_resolution(7)
constexpr long deepest = 255;  // as deep as a name in an archive may be: links lead no deeper

// What is still to be gone, the next component last.
class Ahead {
public:
    explicit Ahead(const std::string &path) { add(path); }

    void add(const std::string &path) {
        auto old = static_cast<std::ptrdiff_t>(parts_.size());
        for (size_t at = 0; at < path.size();) {
            size_t slash = std::min(path.find('/', at), path.size());
            std::string part = path.substr(at, slash - at);
            if (!part.empty() && part != ".") parts_.push_back(std::move(part));
            at = slash + 1;
        }
        std::reverse(parts_.begin() + old, parts_.end());
    }
    bool take(std::string &part) {
        if (parts_.empty()) return false;
        part = std::move(parts_.back());
        parts_.pop_back();
        return true;
    }

private:
    std::vector<std::string> parts_;
};

class Walk {
public:
    Walk(int root, const Made &made) : root_(root), made_(made) { go_to(""); }

    Way run(const std::string &path) {
        Ahead ahead(path);
        for (std::string part; ahead.take(part);) {
            if (part == "..")
                go_to(path_.substr(0, path_.find('/') == std::string::npos ? 0 : path_.rfind('/')));
            else if (std::string target; is_link(part, target))
                follow(target, ahead);
            else
                enter(part);
        }
        return {std::move(here_), std::move(path_)};
    }

private:
    void go_to(std::string path) {
        path_ = std::move(path);
        here_ = Fd(open_without_links(root_, path_, O_RDONLY | O_DIRECTORY));
        if (!here_) entry_failure(errno, tar_quote(path_));
    }
    bool is_link(const std::string &name, std::string &target) const {
        char text[PATH_MAX];
        ssize_t size = readlinkat(here_.get(), name.c_str(), text, sizeof text);
        if (size < 0) return false;
        target.assign(text, static_cast<size_t>(size));
        return true;
    }
    void follow(const std::string &target, Ahead &ahead) {
        if (++links_ > most_links) entry_failure(ELOOP, tar_quote(path_));
        if (target.starts_with('/')) go_to("");
        ahead.add(target);
    }
    void enter(const std::string &name) {
        std::string path = path_.empty() ? name : path_ + "/" + name;
        bool replaces = is_whiteout(here_.get(), name);
        if (replaces && unlinkat(here_.get(), name.c_str(), 0) < 0) local_failure(errno, tar_quote(path));
        bool made = mkdirat(here_.get(), name.c_str(), 0755) == 0;
        if (!made && errno != EEXIST) entry_failure(errno, tar_quote(path));
        Fd below(openat(here_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!below) entry_failure(errno, tar_quote(path));
        if (made && std::count(path.begin(), path.end(), '/') >= deepest)
            bad_input("deeper than " + std::to_string(deepest) + " directories: " + tar_quote(path));
        if (replaces) mark_opaque(below.get(), path);
        here_ = std::move(below);
        path_ = std::move(path);
        if (made) made_(path_, replaces);
    }

    int root_, links_ = 0;
    const Made &made_;
    Fd here_;
    std::string path_;
};

} // namespace

Way make_way(int root, const std::string &path, const Made &made) { return Walk(root, made).run(path); }
