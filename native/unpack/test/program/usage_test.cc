// Counting behind the walls: system calls, privileges and the change of the root.
#include <fcntl.h>
#include <filesystem>
#include <sys/mount.h>
#include <sys/stat.h>

#include "program.h"

namespace fs = std::filesystem;

int main(int argc, char **argv) {
    use_program(argc, argv);
    std::string parent = fresh("containers"), canary = fresh("canary");
    for (int i = 0; i < 50; i++) write_file(canary + "/" + std::to_string(i), "x");
    fs::create_directories(parent + "/one/upper/locked/mounted");
    write_file(parent + "/one/upper/locked/file", "x");
    chmod((parent + "/one/upper/locked").c_str(), 0);
    fs::create_directory(parent + "/two");
    fs::create_symlink(canary, parent + "/two/upper");
    fs::create_symlink(canary, parent + "/one/upper/link");
    same(mount(canary.c_str(), (parent + "/one/upper/locked/mounted").c_str(), nullptr, MS_BIND, nullptr), 0,
         "a mount");
    Result result = run({"usage", parent, "60000", "one/upper", "two/upper", "three/upper"});
    if (!ok(result.code == 0, "directories that strangers write to are counted")) note("message", result.err);
    size_t space = result.out.find(' '), next = result.out.find(' ', space + 1), end = result.out.find('\n');
    ok(space != std::string::npos && next != std::string::npos && next < end, "bytes, inodes, milliseconds");
    same(result.out.substr(end - 2, 2), " 1", "and that this is all");
    same(result.out.substr(space + 1, next - space - 1), "5", "neither links nor mounts lead out");
    same(result.out.substr(end + 1), "none\nnone\n", "a link in place of the directory, and one that is missing");
    result = run({"usage", parent, "0", "one/upper"});
    same(result.out.substr(result.out.find('\n') - 2), " 0\n", "what is out of time is told so");
    umount2((parent + "/one/upper/locked/mounted").c_str(), MNT_DETACH);
    same(run({"usage", parent, "60000"}).code, 100, "nothing to count");
    return done();
}
