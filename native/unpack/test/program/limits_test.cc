// Bombs, small disks, broken streams, and the walls of the process itself.
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forge.h"
#include "program.h"

using namespace forge;

constexpr long memory_limit_kib = 64 << 10;

static Result feed(const Input &input, const std::vector<std::string> &options = {},
                   const std::string &target = fresh("layer")) {
    std::vector<std::string> arguments{"layer", "--target", target};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run(arguments, input);
}

static void fails(const std::string &name, const Result &result, int code, const std::string &message) {
    if (!ok(result.code == code, name + ": exit code")) note("message", result.err);
    has(result.err, message, name + ": the cause");
    same(result.out, std::string(), name + ": no answer");
}

static std::string repeated_text(const std::string &text, int count) {
    std::string all;
    for (int i = 0; i < count; i++) all += text;
    return all;
}

// Only of what came in many pieces; sanitizers have other ideas of memory.
static void stays_small(const std::string &name, const Result &result) {
    if (is_sanitized()) return;
    if (!ok(result.peak_kib > 0 && result.peak_kib < memory_limit_kib, name + ": memory stays small"))
        note("KiB", std::to_string(result.peak_kib));
}

// `head` once, then `text` again and again.
static Input then_repeated(std::string head, std::string text, uint64_t count) {
    return [=, first = true]() mutable {
        if (first) return first = false, head;
        return count > 0 ? (count--, text) : std::string();
    };
}

static void small_disk() {
    std::string disk = fresh("disk");
    if (!ok(mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=4m") == 0, "a disk of 4 MiB")) return;
    auto on_disk = [&](const Input &input) {
        std::string target = disk + "/layer";
        std::filesystem::remove_all(target);
        std::filesystem::create_directory(target);
        return feed(input, {}, target);
    };
    fails("10 GiB against a small disk",
          on_disk(then_repeated(header(file("big"), 10ull << 30), std::string(1 << 20, '\0'), 10 << 10)), 2,
          "No space left on device: \"big\"");
    std::string many;
    for (int i = 0; i < 60'000; i++) many += entry(file("f" + std::to_string(i), "x"));
    fails("60 000 files against a small disk", on_disk(once(gzip(ended(many)))), 2, "No space left on device: \"f");
    umount2(disk.c_str(), MNT_DETACH);
}

// Names make directories that no entry is about: a few kilobytes would fill a disk with them.
static void directories_on_the_way() {
    std::string deep, bomb;
    for (int i = 0; i < 250; i++) deep += "a/";
    for (int i = 0; i < 100; i++) bomb += pax({{"path", std::to_string(i) + "/" + deep + "f"}}) + header(file("f"), 0);
    bomb = gzip(ended(bomb));
    fails("directories on the way are entries", feed(once(bomb), {"--max-entries", "10000"}), 1,
          "more than 10000 entries");
    fails("and take space", feed(once(bomb), {"--max-bytes", "50000000"}), 1, "larger than 50000000");
    same(feed(once(bomb)).field("entries"), "25200", "all of them");
}

// The streams end after a gigabyte: a program without limits fails here, and not the machine.
static void bombs() {
    std::string zeros = gzip(std::string(16 << 20, '\0'));
    const std::pair<const char *, std::string> starts[] = {
        {"CVE-2026-59873: a terabyte of zeros", gzip(header(file("bomb"), 1ull << 40))},
        {"CVE-2017-14992: padding without end", gzip(archive({}))},
    };
    for (const auto &[name, start] : starts) {
        Result result = feed(then_repeated(start, zeros, 64), {"--max-bytes", "100000000"});
        fails(name, result, 1, "larger than 100000000");
        stays_small(name, result);
    }
    fails("too many entries", feed(once(archive({file("a"), file("b"), file("c")})), {"--max-entries", "2"}), 1,
          "more than 2 entries");
    Result members = feed(then_repeated(gzip(archive({file("a")})), repeated_text(gzip(""), 1000), 300));
    same(members.code, 0, "300 000 empty gzip members are legal");
    stays_small("empty gzip members", members);
}

static void broken_streams() {
    std::string text;
    for (unsigned i = 0; i < 300'000; i++) text += static_cast<char>(i * i >> 7);
    std::string blob = archive({file("a", text), file("b", "b")});
    const std::pair<const char *, std::string> forms[] = {{"plain", blob}, {"gzip", gzip(blob)}, {"zstd", zstd(blob)}};
    for (const auto &[name, form] : forms) {
        fails(std::string("CVE-2021-20291: ") + name + " cut in the middle",
              feed(once(form.substr(0, form.size() / 2))), 1, "cut short");
        std::string damaged = form;
        for (size_t at = form.size() / 3; at < form.size() / 3 + 600; at++)
            damaged[at] = static_cast<char>(~damaged[at]);
        if (name != std::string("plain")) fails(std::string(name) + " damaged", feed(once(damaged)), 1, "damaged");
    }
    fails("no archive", feed(once("this is not a layer, whatever it says it is")), 1, "");
    std::string longer = gzip(blob) + "more";
    fails("something behind gzip", feed(once(longer)), 1, "after the end");
}

static void arguments() {
    same(run({}).code, 100, "no role is an error of usage");
    same(run({"layer"}).code, 100, "no target too");
    same(run({"layer", "--target", fresh("layer"), "--max-bytes", "many"}).code, 100, "and a limit that is no number");
    Result result = run({"layer", "--target", place() + "/missing"}, once(archive({})));
    same(result.code, 2, "a target that is missing is this machine's fault");
    has(result.err, "No such file or directory: ", "and said so");
}

static std::string line_of(const std::string &text, const std::string &name) {
    size_t at = text.find("\n" + name + ":\t");
    return at == std::string::npos ? ""
                                   : text.substr(at + name.size() + 3, text.find('\n', at + 1) - at - name.size() - 3);
}

// The process as the kernel shows it, in the middle of a layer.
static void walls(const char *program) {
    std::string target = fresh("layer"),
                blob = entry(file("first")) + header(file("rest"), 4 << 20) + std::string(2 << 20, 'x');
    int watch = inotify_init1(IN_CLOEXEC), input[2];
    inotify_add_watch(watch, target.c_str(), IN_CREATE);
    if (pipe2(input, O_CLOEXEC) < 0) return;
    int extra = open("/", O_PATH); // left open by a careless caller
    pid_t pid = fork();
    if (pid == 0) {
        dup2(input[0], 0);
        execl(program, program, "layer", "--target", target.c_str(), nullptr);
        _exit(127);
    }
    close(input[0]);
    close(extra);
    for (size_t at = 0; at < blob.size();) {
        ssize_t count = write(input[1], blob.data() + at, blob.size() - at);
        if (count <= 0) break;
        at += static_cast<size_t>(count);
    }
    char event[4096];
    pollfd waiting{watch, POLLIN, 0};
    bool created = poll(&waiting, 1, 30'000) == 1 && read(watch, event, sizeof event) > 0;
    ok(created, "a file has been made");
    std::string proc = "/proc/" + std::to_string(pid), status = read_file(proc + "/status");
    // chown, dac_override, dac_read_search, fowner, fsetid, sys_admin, mknod, setfcap
    same(line_of(status, "CapEff"), std::string("000000008820001f"), "capabilities are those of writing files");
    same(line_of(status, "CapPrm"), std::string("000000008820001f"), "and cannot be taken up again");
    same(line_of(status, "CapBnd"), std::string("000000008820001f"), "nor by a program with more");
    same(line_of(status, "NoNewPrivs"), std::string("1"), "no_new_privs");
    same(line_of(status, "Seccomp"), std::string("2"), "a filter of system calls");
    std::string names;
    for (const auto &entry : std::filesystem::directory_iterator(proc + "/root"))
        names += entry.path().filename().string() + " ";
    ok(names == "first rest " || names == "rest first ", "its root is the layer, and nothing else");
    long outside = 0;
    for (const auto &fd : std::filesystem::directory_iterator(proc + "/fd"))
        outside += std::filesystem::read_symlink(fd.path()).string() == "/" && std::stoi(fd.path().filename()) == extra;
    same(outside, 0, "no descriptor of the caller is left");
    close(input[1]);
    int code;
    waitpid(pid, &code, 0);
    same(WIFEXITED(code) ? WEXITSTATUS(code) : -1, 1, "and the archive that ends too early is refused");
    close(watch);
}

int main(int argc, char **argv) {
    use_program(argc, argv);
    small_disk();
    bombs();
    directories_on_the_way();
    broken_streams();
    arguments();
    if (!is_sanitized()) walls(argv[1]);
    return done();
}
