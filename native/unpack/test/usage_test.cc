// Trees that strangers write to are counted whole, and nothing else is.
#include "../usage.h"

#include <cstdlib>
#include <unistd.h>

#include "../remove.h"
#include "tap.h"
#include "trees.h"

namespace {

Fd place;

void fill(int directory, const std::string &name, size_t bytes) {
    Fd file(openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    std::string text(bytes, 'x');
    if (write(file.get(), text.data(), bytes) != static_cast<ssize_t>(bytes)) perror("write");
    fsync(file.get());
}

uint64_t inodes_of(const char *name) {
    std::optional<Usage> usage = count_tree(place.get(), name);
    return usage ? usage->inodes : 0;
}

void test_tree() {
    Fd top = make_directory(place.get(), "tree"), inner = make_directory(top.get(), "inner");
    fill(top.get(), "file", 100'000);
    linkat(top.get(), "file", inner.get(), "same", 0);
    symlinkat("/usr", inner.get(), "link");
    mkfifoat(inner.get(), "fifo", 0600);
    std::optional<Usage> usage = count_tree(place.get(), "tree");
    ok(usage && usage->inodes == 5, "a file with two names is one, and links are not followed");
    ok(usage && usage->bytes >= 100'000 && usage->bytes < 200'000, "bytes on disk");
    ok(inodes_of("tree/inner") == 4, "a directory further below");
}

void test_names() {
    Fd top = make_directory(place.get(), "names");
    Fd strange = make_directory(make_directory(top.get(), "\xff\n \\").get(), "\xfe");
    for (int i = 0; i < 10; i++) fill(strange.get(), std::string(1, static_cast<char>(0x80 + i)), 1);
    ok(inodes_of("names") == 13, "names that are no text");
}

void test_wide() {
    constexpr int directories = 3'000; // more than are read at once
    Fd top = make_directory(place.get(), "wide");
    for (int i = 0; i < directories; i++) fill(make_directory(top.get(), std::to_string(i)).get(), "file", 1);
    std::optional<Usage> usage = count_tree(place.get(), "wide");
    ok(usage && usage->inodes == 1 + 2 * directories && usage->complete, "a wide directory, each once");
}

void test_deep() {
    constexpr int levels = 2'000;
    Fd at = make_directory(place.get(), "deep");
    for (int level = 0; level < levels; level++) {
        fill(make_directory(at.get(), "aside").get(), "file", 1);
        at = make_directory(at.get(), std::string(255, 'd'));
    }
    use_little();
    ok(inodes_of("deep") == 1 + 3 * levels, "a path of half a megabyte, with 16 descriptors");
    std::optional<Usage> cut = count_tree(place.get(), "deep", 0);
    ok(cut && cut->inodes > 0 && cut->inodes < 1 + 3 * levels && !cut->complete,
       "what takes too long has at least what was found");
}

void test_elsewhere() {
    make_directory(place.get(), "outside");
    fill(place.get(), "outside/file", 1);
    symlinkat("outside", place.get(), "direct");
    symlinkat("/usr", place.get(), "away");
    for (const char *name : {"direct", "away", "outside/file", "missing", "../..", "/usr", ""})
        ok(!count_tree(place.get(), name), std::string("no directory of ours: \"") + name + "\"");
}

} // namespace

int main() {
    char path[] = "/tmp/jangada-usage-XXXXXX";
    if (!mkdtemp(path)) return 1;
    place = Fd(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    test_tree();
    test_names();
    test_elsewhere();
    test_wide();
    test_deep();
    for (const char *name : {"tree", "names", "wide", "outside", "direct", "away", "deep"})
        remove_tree(place.get(), name);
    ok(rmdir(path) == 0, "nothing is left");
    return done();
}
