#include "seam.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <optional>
#include <sched.h>
#include <set>
#include <sys/mount.h>
#include <sys/stat.h>

#include "attributes.h"
#include "failure.h"
#include "in_root.h"
#include "marks.h"
#include "overlay_mount.h"
#include "tar_header.h"
#include "tree.h"
#include "usage.h"
#include "way.h"

namespace {

constexpr size_t most_volume_directories = 10'000;

struct Layer {
    std::string tree; // below the directory of all layers
    Marks marks;
};

// Where the layers have one directory of the merged tree.
struct Provided {
    const Layer *top = nullptr;
    size_t merged = 0;             // layers that show something in it
    const Layer *source = nullptr; // the topmost whose archive has an entry for it
};

class Seam {
public:
    Seam(int layers, int merged, std::vector<Layer> stack)
        : layers_(layers), merged_(merged), stack_(std::move(stack)) {}

    void make_volumes(const std::vector<std::string> &volumes) {
        size_t made = 0;
        for (const std::string &volume : volumes) {
            try {
                make_way(merged_, volume, [&](const std::string &, bool) {
                    if (++made > most_volume_directories)
                        bad_input("more than " + std::to_string(most_volume_directories) + " directories for volumes");
                });
            } catch (const Failure &failure) {
                // A file in its place: the image has what it says there.
                if (failure.blame != Blame::input || made > most_volume_directories) throw;
            }
        }
    }

    // Parents first: what is copied up takes its parents along as they are.
    void mend() {
        std::set<std::string> paths;
        for (const Layer &layer : stack_)
            for (const auto &[path, marks] : layer.marks.paths())
                if (marks & (Marks::implied | Marks::whiteouts)) paths.insert(path);
        for (const std::string &path : paths) mend(path);
    }

private:
    void mend(const std::string &path) {
        Fd directory(open_without_links(merged_, path, O_RDONLY | O_DIRECTORY));
        if (!directory || path.empty()) return; // an upper layer has something else there, or nothing
        Provided provided = provide(path);
        if (!provided.top) return;
        if (provided.source && provided.source != provided.top)
            copy_attributes(open_tree(*provided.source, path).get(), directory.get(), path);
        // In a directory of one layer overlayfs shows whiteouts for what they are, and lets nobody remove it.
        if (provided.merged == 1 && provided.top->marks.has(path, Marks::whiteouts)) copy_up(directory.get(), path);
    }

    Provided provide(const std::string &path) const {
        Provided provided;
        bool hidden = false;
        for (const Layer &layer : stack_) {
            struct stat st;
            Fd found = open_tree(layer, path, O_PATH);
            if (found && (fstat(found.get(), &st) < 0 || !S_ISDIR(st.st_mode))) break;
            if (!found && errno != ENOENT) break;
            if (found) {
                if (!provided.top) provided.top = &layer;
                provided.merged += hidden ? 0 : 1;
                if (!provided.source && !layer.marks.has(path, Marks::implied)) provided.source = &layer;
                hidden = hidden || layer.marks.has(path, Marks::opaque);
                if (provided.source && (hidden || provided.merged > 1)) break;
            }
            if (layer.marks.is_cut_off(path)) break;
        }
        return provided;
    }

    Fd open_tree(const Layer &layer, const std::string &path, uint64_t flags = O_RDONLY | O_DIRECTORY) const {
        return Fd(open_without_links(layers_, layer.tree + "/" + path, flags));
    }

    static void copy_up(int directory, const std::string &path) {
        struct stat st;
        if (fstat(directory, &st) < 0 || fchmod(directory, st.st_mode & 07777) < 0)
            local_failure(errno, tar_quote(path));
    }

    int layers_, merged_;
    std::vector<Layer> stack_;
};

std::vector<Layer> load(int layers, const std::vector<std::string> &names) {
    std::vector<Layer> stack;
    for (const std::string &name : names) {
        Fd marks(open_without_links(layers, name + "/marks", O_RDONLY));
        if (!marks && errno != ENOENT) local_failure(errno, "marks of a layer");
        stack.push_back({name + "/fs", marks ? Marks::read(marks.get()) : Marks()});
    }
    return stack;
}

} // namespace

uint64_t make_seam(const std::string &layers, const std::string &target, const std::vector<std::string> &names,
                   const std::vector<std::string> &volumes) {
    if (unshare(CLONE_NEWNS) < 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
        local_failure(errno, "mount namespace");
    umask(0);
    std::vector<std::string> lower;
    for (const std::string &name : names) lower.push_back(layers + "/" + name + "/fs");
    std::string work = layers + "/" + target + "/work";
    overlay_mount({lower, layers + "/" + target + "/fs", work}, work.c_str());
    Fd all = tree_confine(layers.c_str(), {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID},
                          Role::seam);
    Fd merged(open_without_links(all.get(), target + "/work", O_RDONLY | O_DIRECTORY));
    if (!merged) local_failure(errno, "overlay of the image's layers");
    Seam seam(all.get(), merged.get(), load(all.get(), names));
    seam.make_volumes(volumes);
    seam.mend();
    std::optional<Usage> written = count_tree(all.get(), target + "/fs");
    return written && written->inodes > 0 ? written->inodes - 1 : 0;
}
