// The user database of an image: good ones are read, traps are not stepped on.
#include <fcntl.h>
#include <filesystem>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "program.h"

namespace fs = std::filesystem;

static std::string image(const std::string &name) {
    std::string path = fresh(name);
    fs::create_directory(path + "/etc");
    return path;
}

static void answers(const std::string &name, const std::vector<std::string> &lower, const std::string &wanted) {
    std::vector<std::string> arguments{"identity"};
    arguments.insert(arguments.end(), lower.begin(), lower.end());
    Result result = run(arguments);
    same(result.code, 0, name + ": exit code");
    same(result.out, wanted, name + ": the answer");
}

static void refuses(const std::string &name, const std::string &lower, const std::string &why) {
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    inotify_add_watch(watch, (lower + "/etc/passwd").c_str(), IN_OPEN | IN_DONT_FOLLOW);
    Result result = run({"identity", lower});
    same(result.code, 1, name + ": refused");
    has(result.err, why, name + ": the cause");
    has(result.err, "/etc/passwd", name + ": the file");
    same(result.out, std::string(), name + ": no answer");
    char event[4096];
    ok(read(watch, event, sizeof event) < 0, name + ": is not even opened");
    close(watch);
}

int main(int argc, char **argv) {
    use_program(argc, argv);
    std::string one = image("one"), two = image("two");
    write_file(one + "/etc/passwd", "root:x:0:0::/:\n");
    write_file(one + "/etc/group", "root:x:0:\n");
    answers("one layer", {one}, "passwd 15\nroot:x:0:0::/:\n\ngroup 10\nroot:x:0:\n\n");
    write_file(two + "/etc/group", "new\n");
    answers("two layers", {two, one}, "passwd 15\nroot:x:0:0::/:\n\ngroup 4\nnew\n\n");
    mknod((two + "/etc/passwd").c_str(), S_IFCHR, makedev(0, 0));
    answers("a whiteout", {two, one}, "passwd 0\n\ngroup 4\nnew\n\n");
    answers("neither file", {fresh("none")}, "passwd 0\n\ngroup 0\n\n");

    std::string linked = image("linked");
    write_file(linked + "/real", "abc");
    fs::create_symlink("/real", linked + "/etc/passwd");
    fs::create_symlink("../../../../../../real", linked + "/etc/group");
    answers("links within the image, absolute and with ..", {linked}, "passwd 3\nabc\ngroup 3\nabc\n");
    std::string outside = image("outside");
    write_file(place() + "/host-file", "secret");
    fs::create_symlink(place() + "/host-file", outside + "/etc/passwd");
    answers("CVE-2025-4437: link to a file of the host", {outside}, "passwd 0\n\ngroup 0\n\n");
    std::string many = image("many");
    std::string lines;
    for (int i = 0; i < 20'000; i++) lines += "user" + std::to_string(i) + ":x:1:1::/:\n";
    write_file(many + "/etc/passwd", lines);
    answers("many lines", {many}, "passwd " + std::to_string(lines.size()) + "\n" + lines + "\ngroup 0\n\n");

    std::string trap = image("fifo"), name = "/etc/passwd";
    mkfifo((trap + name).c_str(), 0666);
    refuses("CVE-2026-47262: FIFO", trap, "not a regular file");
    mknod(((trap = image("device")) + name).c_str(), S_IFCHR | 0666, makedev(1, 5));
    refuses("CVE-2026-47262: device", trap, "not a regular file");
    fs::create_directory((trap = image("directory")) + name);
    refuses("directory", trap, "not a regular file");
    int sparse = open(((trap = image("sparse")) + name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ok(ftruncate(sparse, 10ll << 30) == 0 && close(sparse) == 0, "a file of 10 GiB");
    refuses("CVE-2024-9676: 10 GiB", trap, "larger than");
    trap = image("loop");
    fs::create_symlink("passwd", trap + name);
    refuses("link to itself", trap, "");
    return done();
}
