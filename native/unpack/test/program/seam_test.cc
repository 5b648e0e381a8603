// What only a stack of layers knows: mode and owner of directories that archives left out, whiteouts that hide nothing, volumes.
#include <algorithm>
#include <filesystem>
#include <sys/mount.h>
#include <sys/stat.h>

#include "forge.h"
#include "program.h"

using namespace forge;
namespace fs = std::filesystem;

namespace {

std::string layers;
int count = 0;

// Unpacks the archives from the bottom up and makes their seam; "<entries>: <mode> <owner> <path>…" of what is in it.
std::string seam_of(const std::vector<std::vector<Entry>> &archives, const std::string &volumes = "") {
    std::vector<std::string> arguments{"seam", layers, "top"};
    for (const auto &entries : archives) {
        std::string name = "layer" + std::to_string(count++), directory = layers + "/" + name;
        fs::create_directories(directory + "/fs");
        Result result = run_layer(directory + "/fs", archive(entries), {"--marks", directory + "/marks"});
        if (result.code != 0) note("message", result.err);
        arguments.insert(arguments.begin() + 3, name);
    }
    std::string top = layers + "/top";
    fs::remove_all(top);
    fs::create_directories(top + "/fs");
    fs::create_directories(top + "/work");
    Result result = run(arguments, once(volumes));
    if (result.code != 0) return "! " + result.err;
    std::string text = result.field("entries") + ":";
    std::vector<std::string> paths;
    for (const auto &entry : fs::recursive_directory_iterator(top + "/fs")) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const std::string &path : paths) {
        struct stat st;
        lstat(path.c_str(), &st);
        char mode[40];
        snprintf(mode, sizeof mode, " %o %u ", st.st_mode, st.st_uid);
        text += mode + path.substr(top.size() + 4);
    }
    return text;
}

Entry owned(const std::string &path, uint32_t mode, uint32_t uid) {
    return {.type = '5', .path = path, .mode = mode, .uid = uid};
}

void implied() {
    std::vector<Entry> base{owned("tmp", 01777, 0), owned("home", 0755, 0), owned("home/u", 0700, 1000)};
    same(seam_of({base, {file("tmp/x"), file("home/u/y")}}), "3: 40755 0 home 40700 1000 home/u 41777 0 tmp",
         "mode and owner of the lower layer's directory");
    same(seam_of({base, {file("tmp/x")}, {file("tmp/y")}}), "1: 41777 0 tmp", "through a layer that left it out, too");
    same(seam_of({base, {directory("tmp"), file("tmp/x")}}), "0:", "what a layer says itself is what it means");
    same(seam_of({{file("new/x")}, {file("new/y")}}), "0:", "a directory that nobody has an entry for");
    same(seam_of({base, {file(".wh.tmp", "")}, {file("tmp/x")}}), "0:", "one that was deleted between");
    same(seam_of({base, {file(".wh.tmp", ""), file("tmp/x")}}), "0:", "or by the layer itself");
    same(seam_of({base, {file("home/u/y")}, {file("home", "a file")}}), "0:", "one that an upper layer hides");
    same(seam_of({base, {file("tmp/.wh..wh..opq", ""), file("tmp/x")}}), "1: 41777 0 tmp",
         "an opaque mark hides what is in it, not the directory");
    same(seam_of({base, {file("home/.wh..wh..opq", "")}, {file("home/u/x")}}),
         "0:", "but what is in it, with its mode");
    Entry noted = directory("d");
    noted.pax = {{"SCHILY.xattr.user.note", "n"}, {"SCHILY.xattr.trusted.x", "t"}};
    same(seam_of({{noted}, {file("d/x")}}), "1: 40755 0 d", "extended attributes");
    has(listing(layers + "/top/fs"), "user.note=6e", "are the lower directory's");
}

void whiteouts() {
    same(seam_of({{directory("d"), file("d/.wh.x", "")}}), "1: 40755 0 d", "a whiteout in a directory of one layer");
    same(seam_of({{file("d/x")}, {directory("d"), file("d/.wh.x", "")}}), "0:", "one that hides something");
    same(seam_of({{file("d/x")}, {file("d/.wh..wh..opq", ""), file("d/.wh.x", "")}}), "1: 40755 0 d",
         "one in an opaque directory");
    std::string merged = fresh("merged"), layer = layers + "/layer" + std::to_string(count - 1) + "/fs";
    std::string options = "lowerdir=" + layers + "/top/fs:" + layer;
    same(mount("overlay", merged.c_str(), "overlay", MS_RDONLY, options.c_str()), 0, "overlay takes the seam");
    ok(fs::is_empty(merged + "/d"), "and shows nothing of the whiteout");
    umount2(merged.c_str(), MNT_DETACH);
}

void volumes() {
    const std::string nul(1, '\0');
    same(seam_of({{directory("var")}}, "/var/lib/x" + nul + "data" + nul),
         "4: 40755 0 data 40755 0 var 40755 0 var/lib 40755 0 var/lib/x", "volumes are made, root's");
    same(seam_of({{owned("data", 0700, 7)}}, "/data" + nul), "0:", "one that is there stays as it is");
    same(seam_of({{directory("run")}, {soft_link("link", "/run")}}, "/link/x" + nul), "2: 40755 0 run 40755 0 run/x",
         "through a link of the image");
    same(seam_of({{file("f"), soft_link("l", "l")}}, "/f/x" + nul + "/l/x" + nul + "/../../up" + nul), "1: 40755 0 up",
         "what cannot be is left alone, and nothing leads out");
    std::string many;
    for (int i = 0; i < 60; i++) {
        many += "/" + std::to_string(i);
        for (int level = 0; level < 200; level++) many += "/d";
        many += nul;
    }
    has(seam_of({{directory("x")}}, many), "! more than 10000 directories", "as many as make sense");
}

} // namespace

int main(int argc, char **argv) {
    use_program(argc, argv);
    layers = fresh("layers");
    implied();
    whiteouts();
    volumes();
    same(run({"seam", layers, "top"}).code, 100, "no layers");
    same(run({"seam", layers, "../top", "x"}).code, 100, "a name that is a path");
    return done();
}
