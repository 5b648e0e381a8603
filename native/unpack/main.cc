// jangada-unpack: the only program that reads what strangers have packed. See native/README.md for its walls.
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <linux/capability.h>
#include <string_view>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "confine.h"
#include "failure.h"
#include "identity.h"
#include "layer.h"
#include "plain.h"
#include "remove.h"
#include "seam.h"
#include "tar_header.h"
#include "tree.h"
#include "usage.h"
#include "user_namespace.h"

namespace {

constexpr int usage_error = 100;

[[noreturn]] void misused() {
    fputs(
        "usage: jangada-unpack layer --target DIR [--marks FILE] [--max-bytes N] [--max-entries N] [--no-sync] < BLOB\n"
        "       jangada-unpack plain MAX-BYTES < STREAM > FILE\n"
        "       jangada-unpack identity LOWER...      topmost layer first\n"
        "       jangada-unpack seam LAYERS TARGET NAME...   topmost layer first; volumes on standard input, each with "
        "a NUL\n"
        "       jangada-unpack remove PARENT NAME...\n"
        "       jangada-unpack usage PARENT PATH...     directories below, each a line: bytes, inodes, milliseconds; "
        "or none\n"
        "       jangada-unpack sync DIR\n",
        stderr);
    _exit(usage_error);
}

uint64_t number(const char *text) {
    try {
        return tar_decimal(text, "option");
    } catch (const Failure &) {
        misused();
    }
}

bool is_name(std::string_view name) {
    return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos;
}

void layer(int argc, char **argv) {
    std::string target, marks;
    TarLimits limits;
    bool sync = true;
    for (int i = 0; i < argc; i++) {
        std::string_view option = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : nullptr;
        if (option == "--no-sync") {
            sync = false;
            continue;
        }
        if (!value) misused();
        if (option == "--target")
            target = value;
        else if (option == "--marks")
            marks = value;
        else if (option == "--max-bytes")
            limits.max_bytes = number(value);
        else if (option == "--max-entries")
            limits.max_entries = number(value);
        else
            misused();
        i++;
    }
    if (target.empty()) misused();
    LayerResult result = unpack_layer(target, marks, limits, sync);
    printf("digest %s\ndiffid %s\ncompressed %llu\nuncompressed %llu\nentries %llu\nsize %llu\nmarks %llu\n",
           result.digest.c_str(), result.diff_id.c_str(), static_cast<unsigned long long>(result.compressed),
           static_cast<unsigned long long>(result.uncompressed), static_cast<unsigned long long>(result.entries),
           static_cast<unsigned long long>(result.size), static_cast<unsigned long long>(result.marks));
}

std::vector<std::string> names_on_stdin() {
    std::vector<std::string> names(1);
    char buffer[4096];
    for (ssize_t count; (count = read(STDIN_FILENO, buffer, sizeof buffer)) != 0;) {
        if (count < 0) local_failure(errno, "names on standard input");
        for (ssize_t i = 0; i < count; i++)
            if (buffer[i] == 0)
                names.emplace_back();
            else
                names.back() += buffer[i];
    }
    names.pop_back();
    return names;
}

void seam(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (!is_name(argv[i])) misused();
    uint64_t entries = make_seam(argv[0], argv[1], std::vector<std::string>(argv + 2, argv + argc), names_on_stdin());
    printf("entries %llu\n", static_cast<unsigned long long>(entries));
}

void remove(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (!is_name(argv[i])) misused();
    if (argc < 2) misused();
    // Nobody waits for it: everything else comes first.
    setpriority(PRIO_PROCESS, 0, 19);
    Fd parent = tree_confine(argv[0], {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER}, Role::remove);
    for (int i = 1; i < argc; i++) remove_tree(parent.get(), argv[i]);
}

void usage(int argc, char **argv) {
    uint64_t limit = number(argv[1]);
    setpriority(PRIO_PROCESS, 0, 19);
    Fd parent = tree_confine(argv[0], {CAP_DAC_READ_SEARCH}, Role::usage);
    for (int i = 2; i < argc; i++) {
        if (std::optional<Usage> found = count_tree(parent.get(), argv[i], limit))
            printf("%llu %llu %llu %d\n", static_cast<unsigned long long>(found->bytes),
                   static_cast<unsigned long long>(found->inodes), static_cast<unsigned long long>(found->ms),
                   found->complete);
        else
            puts("none");
    }
}

int run(int argc, char **argv) {
    std::string_view role = argc > 1 ? argv[1] : "";
    if (role == "layer") {
        layer(argc - 2, argv + 2);
    } else if (role == "plain" && argc == 3) {
        write_plain(number(argv[2]));
    } else if (role == "identity" && argc > 2) {
        std::string text = read_identity(std::vector<std::string>(argv + 2, argv + argc));
        fwrite(text.data(), 1, text.size(), stdout);
    } else if (role == "seam" && argc > 4) {
        seam(argc - 2, argv + 2);
    } else if (role == "remove") {
        remove(argc - 2, argv + 2);
    } else if (role == "usage" && argc > 4) {
        usage(argc - 2, argv + 2);
    } else if (role == "sync" && argc == 3) {
        Fd directory(open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!directory || syncfs(directory.get()) < 0) local_failure(errno, argv[2]);
    } else {
        misused();
    }
    if (fflush(stdout) != 0 || ferror(stdout)) local_failure(errno, "answer on standard output");
    return 0;
}

} // namespace

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    int code;
    try {
        // Whatever a caller has left open beside the standard streams would be a way out.
        syscall(SYS_close_range, 3u, ~0u, 0u);
        in_user_namespace();
        code = run(argc, argv);
    } catch (const Failure &failure) {
        fprintf(stderr, "%s\n", failure.message.c_str());
        code = static_cast<int>(failure.blame);
    } catch (const std::bad_alloc &) {
        fputs("out of memory: the archive needs more than the unpacker may use\n", stderr);
        code = static_cast<int>(Blame::input);
    }
    // Not exit(3): a detached thread may still be reading.
    fflush(stderr);
    _exit(code);
}
