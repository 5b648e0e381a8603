// Removing trees that strangers have written.
#include <fcntl.h>
#include <filesystem>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "program.h"

namespace fs = std::filesystem;

static bool exists(const std::string &path) {
    struct stat st;
    return lstat(path.c_str(), &st) == 0;
}

static std::string make_canary() {
    std::string path = fresh("canary");
    write_file(path + "/file", "kept");
    fs::create_directory(path + "/sub");
    write_file(path + "/sub/file", "kept");
    return path;
}

static void shapes(const std::string &trash) {
    std::string tree = trash + "/tree";
    fs::create_directory(tree);
    for (int d = 0; d < 20; d++) {
        fs::create_directory(tree + "/" + std::to_string(d));
        for (int f = 0; f < 100; f++) write_file(tree + "/" + std::to_string(d) + "/" + std::to_string(f), "x");
    }
    fs::create_directory(tree + "/lifted-0");
    write_file(tree + "/lifted-0/lifted-1", "a name this program uses itself");
    mkfifo((tree + "/fifo").c_str(), 0);
    mknod((tree + "/whiteout").c_str(), S_IFCHR, makedev(0, 0));
    fs::create_directory(tree + "/locked");
    write_file(tree + "/locked/file", "x");
    chmod((tree + "/locked").c_str(), 0);
    same(run({"remove", trash, "tree"}).code, 0, "a wide tree is removed");
    ok(!exists(tree), "and gone");
    same(run({"remove", trash, "tree"}).code, 0, "what is missing is removed");
    write_file(trash + "/single", "x");
    fs::create_directory(trash + "/other");
    same(run({"remove", trash, "single", "other"}).code, 0, "a file, and two names at once");
    ok(fs::is_empty(trash), "and gone");
}

static void deep(const std::string &trash) {
    int at = open(trash.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int level = 0; level < 10'000; level++) {
        mkdirat(at, "deep", 0755);
        int next = openat(at, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(openat(next, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        close(at);
        at = next;
    }
    close(at);
    Result result = run({"remove", trash, "deep"});
    if (!ok(result.code == 0, "10 000 levels are removed")) note("message", result.err);
    ok(!exists(trash + "/deep"), "and gone");
}

static void names(const std::string &trash) {
    for (const char *name : {"", ".", "..", "a/b", "../canary", "/tmp"})
        same(run({"remove", trash, name}).code, 100, std::string("\"") + name + "\" is no name");
}

static void links(const std::string &trash, const std::string &canary) {
    std::string before = listing(canary);
    fs::create_directory(trash + "/tree");
    fs::create_symlink(canary, trash + "/tree/link");
    fs::create_symlink(canary + "/file", trash + "/tree/file");
    fs::create_symlink(canary, trash + "/link");
    same(run({"remove", trash, "tree", "link"}).code, 0, "CVE-2017-1002102: links are removed");
    ok(fs::is_empty(trash), "CVE-2017-1002102: and gone");
    same(listing(canary), before, "CVE-2017-1002102: what they point to is as it was");
}

static void mounts(const std::string &trash, const std::string &canary) {
    std::string before = listing(canary);
    for (const char *where : {"tree", "tree/a", "tree/a/b/c"}) {
        fs::create_directories(trash + "/tree/a/b/c");
        std::string mounted = trash + "/" + where;
        same(mount(canary.c_str(), mounted.c_str(), nullptr, MS_BIND, nullptr), 0,
             std::string("a bind mount at ") + where);
        Result result = run({"remove", trash, "tree"});
        same(result.code, 2, std::string("is not removed: ") + where);
        ok(!result.err.empty(), std::string("and said: ") + where);
        same(listing(canary), before, std::string("what is mounted is as it was: ") + where);
        while (umount2(mounted.c_str(), MNT_DETACH) == 0) {
        }
        // The mount may have been lifted with the directory above it.
        for (const auto &entry : fs::recursive_directory_iterator(trash)) umount2(entry.path().c_str(), MNT_DETACH);
        same(run({"remove", trash, "tree"}).code, 0, std::string("and without the mount it goes: ") + where);
    }
}

int main(int argc, char **argv) {
    use_program(argc, argv);
    std::string trash = fresh("trash"), canary = make_canary();
    shapes(trash);
    deep(trash);
    names(trash);
    links(trash, canary);
    mounts(trash, canary);
    return done();
}
