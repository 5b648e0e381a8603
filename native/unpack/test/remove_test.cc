// Trees that a stranger has made are removed whole; what their links lead to is not.
#include "../remove.h"

#include <cstdlib>
#include <unistd.h>

#include "tap.h"
#include "trees.h"

namespace {

Fd place;

bool exists(const char *name) { return faccessat(place.get(), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0; }

void touch(int directory, const std::string &name) {
    Fd file(openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

void test_deep() {
    Fd at = make_directory(place.get(), "deep");
    for (int level = 0; level < 10'000; level++) {
        touch(at.get(), "file");
        at = make_directory(at.get(), level % 2 ? "d" : "lifted-0");
    }
    use_little();
    same(failure_of([] { remove_tree(place.get(), "deep"); }), "", "ten thousand levels, with 16 descriptors");
    ok(!exists("deep"), "are gone");
}

void test_names() {
    Fd top = make_directory(place.get(), "names");
    for (int i = 0; i < 50; i++) {
        Fd inner = make_directory(top.get(), "lifted-" + std::to_string(i));
        Fd below = make_directory(inner.get(), "lifted-" + std::to_string(i + 1));
        touch(make_directory(below.get(), "lifted-0").get(), "lifted-1");
        touch(top.get(), "lifted-" + std::to_string(i + 100));
    }
    make_directory(top.get(), "\xff\n \\*");
    make_directory(top.get(), std::string(255, 'x'));
    same(failure_of([] { remove_tree(place.get(), "names"); }), "", "names like the ones it gives itself");
    ok(!exists("names"), "are gone");
}

void test_links() {
    Fd canary = make_directory(place.get(), "canary");
    touch(canary.get(), "secret");
    Fd top = make_directory(place.get(), "farm");
    Fd inner = make_directory(top.get(), "inner");
    for (int i = 0; i < 100; i++) {
        symlinkat("../canary", top.get(), ("link-" + std::to_string(i)).c_str());
        symlinkat("../../canary", inner.get(), ("link-" + std::to_string(i)).c_str());
    }
    symlinkat("canary", place.get(), "direct");
    remove_tree(place.get(), "farm");
    remove_tree(place.get(), "direct");
    ok(!exists("farm") && !exists("direct"), "CVE-2017-1002102: links to a directory are gone");
    ok(exists("canary/secret"), "CVE-2017-1002102: the directory is not");
    remove_tree(place.get(), "canary");
    ok(!exists("canary"), "a directory");
    touch(place.get(), "file");
    remove_tree(place.get(), "file");
    ok(!exists("file"), "a file");
    same(failure_of([] { remove_tree(place.get(), "missing"); }), "", "what is missing");
}

} // namespace

int main() {
    char path[] = "/tmp/jangada-remove-XXXXXX";
    if (!mkdtemp(path)) return 1;
    place = Fd(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    test_names();
    test_links();
    test_deep();
    ok(rmdir(path) == 0, "nothing is left");
    return done();
}
