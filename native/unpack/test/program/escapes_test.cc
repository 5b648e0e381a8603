// Archives that have left their directory elsewhere: each is refused or stays inside, and the canary beside it is as it was.
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "forge.h"
#include "program.h"

using namespace forge;
namespace fs = std::filesystem;

static const std::string secret = "what nobody outside may see";
static std::string canary, up;

static std::string make_canary() {
    std::string path = fresh("canary");
    write_file(path + "/secret", secret);
    chmod((path + "/secret").c_str(), 0600);
    fs::create_directory(path + "/d");
    write_file(path + "/d/inner", "inner");
    return path;
}

static bool holds_secret(const std::string &target) {
    struct stat own, found;
    stat((canary + "/secret").c_str(), &own);
    for (const auto &entry : fs::recursive_directory_iterator(target)) {
        if (lstat(entry.path().c_str(), &found) < 0 || !S_ISREG(found.st_mode)) continue;
        if (found.st_ino == own.st_ino && found.st_dev == own.st_dev) return true;
        if (read_file(entry.path()).find(secret) != std::string::npos) return true;
    }
    return false;
}

enum Verdict { denied = 1, contained = 0, either = -1 };

static void attempt(const std::string &name, const std::string &blob, Verdict verdict) {
    std::string state = fresh("state"), target = state + "/layer";
    fs::create_directory(target);
    std::string before = listing(canary), around = listing(place(), false);
    struct stat state_before, state_after;
    stat(state.c_str(), &state_before);
    Result result = run_layer(target, blob);
    stat(state.c_str(), &state_after);
    bool expected = verdict == either ? result.code == 0 || result.code == 1 : result.code == verdict;
    if (!ok(expected, name + (verdict == denied      ? ": refused"
                              : verdict == contained ? ": stays inside"
                                                     : ": ends well")))
        note("answer", std::to_string(result.code) + " " + result.err);
    same(listing(canary), before, name + ": the canary is as it was");
    ok(!holds_secret(target), name + ": nothing of the canary is inside");
    ok(state_before.st_mode == state_after.st_mode && state_before.st_uid == state_after.st_uid,
       name + ": the directory above is as it was");
    if (result.code == 1)
        ok(!result.err.empty() && result.err.find('\n') == result.err.size() - 1, name + ": one line says why");
    fs::remove_all(target);
    fs::create_directory(target);
    same(listing(place(), false), around, name + ": nothing else is there");
}

static void attempt(const std::string &name, const std::vector<Entry> &entries, Verdict verdict) {
    attempt(name, archive(entries), verdict);
}

static Entry with_pax(Entry entry, Records records) {
    entry.pax = std::move(records);
    return entry;
}

static void names() {
    std::string outside = canary.substr(1);
    attempt("CVE-2016-7569: name with ..", {file(up + outside + "/new")}, denied);
    attempt("CVE-2020-10696: .. in the middle", {directory("a"), file("a/../../../canary/secret", "x")}, denied);
    attempt("CVE-2018-20834: absolute name", {file(canary + "/secret", "x")}, contained);
    attempt("CVE-2021-32804: many slashes", {file("////" + outside + "/secret", "x")}, contained);
    attempt("PAX path with ..", {with_pax(file("f"), {{"path", up + outside + "/new"}})}, denied);
    attempt("long name with ..", ended(extension('L', up + outside + "/new") + entry(file("f"))), denied);
    attempt("name of the root only", {file("/", "x")}, denied);
    attempt("name of ..", {file("..", "x")}, denied);
    attempt("CVE-2025-48387: neighbour with the same prefix", {file("../layer-other/x")}, denied);
}

static void through_links() {
    std::string outside = canary.substr(1);
    attempt("CVE-2021-32803: link, then a file through it", {soft_link("a", canary), file("a/secret", "x")}, either);
    attempt("relative link, then a file through it", {soft_link("a", up + outside), file("a/secret", "x")}, either);
    attempt("CVE-2021-37701: directory that becomes a link",
            {directory("a"), file("a/f"), soft_link("a", canary), file("a/secret", "x")}, either);
    attempt("CVE-2026-24842: chain of links",
            {soft_link("one", "two/.."), soft_link("two", canary), file("one/secret", "x"), file("two/secret", "x")},
            either);
    attempt("CVE-2021-37712: names alike after folding",
            {directory("stra\xc3\x9f"
                       "e"),
             soft_link("strasse", canary),
             file("stra\xc3\x9f"
                  "e/secret",
                  "x")},
            contained);
    attempt("link over a link", {soft_link("a", "b"), soft_link("b", canary), file("a/secret", "x")}, either);
    attempt("link to itself", {soft_link("a", "a"), file("a/x", "x")}, denied);
    attempt("file over a link", {soft_link("a", canary + "/secret"), file("a", "overwritten")}, contained);
    attempt("link to the directory above", {soft_link("a", ".."), file("a/x", "x")}, contained);
    attempt("CVE-2021-32760: mode of a link", {{.type = '2', .path = "a", .text = canary + "/secret", .mode = 0777}},
            contained);
    attempt("CVE-2021-41089: mode of the root", {{.type = '5', .path = "./", .mode = 0777, .uid = 1000}}, contained);
    attempt("mode of a directory through a link", {soft_link("a", canary), directory("a/d", 0777)}, either);
    attempt("mode of a directory over a link", {soft_link("a", canary), directory("a", 0777)}, contained);
    attempt("device through a link", {soft_link("a", canary), {.type = '3', .path = "a/null", .major = 1, .minor = 3}},
            either);
    attempt("xattr through a link",
            {soft_link("a", canary + "/secret"), with_pax(file("a/x"), {{"SCHILY.xattr.user.a", "b"}})}, either);
    attempt("a link to what is not there, through which directories are made",
            {soft_link("a", up + outside + "/new/deep"), file("a/x"), directory("a/d")}, contained);
    attempt("the same, absolute and with .. behind a link",
            {soft_link("a", canary + "/new"), soft_link("b", "a/../../.." + canary), file("b/secret")}, contained);
    attempt("whiteout and opaque mark through a link to what is not there",
            {soft_link("a", canary + "/new"), file("a/.wh.secret", ""), file("a/.wh..wh..opq", "")}, contained);
    attempt("a directory named like a mark, by a link", {soft_link("a", ".wh.x"), file("a/y")}, denied);
    std::string deep;
    for (int i = 0; i < 300; i++) deep += "d/";
    attempt("deeper than a name may be, by a link", {with_pax(soft_link("a", "d"), {{"linkpath", deep}}), file("a/x")},
            denied);
    attempt("/proc through a link", {soft_link("a", "/proc/self/root" + canary), file("a/secret", "x")}, either);
}

static void hard_links() {
    std::string outside = canary.substr(1);
    attempt("CVE-2026-23745: hard link to an absolute name", {hard_link("a", canary + "/secret")}, denied);
    attempt("CVE-2026-26960: hard link with ..", {hard_link("a", up + outside + "/secret")}, denied);
    attempt("CVE-2026-29786: hard link through a link", {soft_link("l", canary), hard_link("a", "l/secret")}, denied);
    attempt("CVE-2018-20834: hard link that is then written",
            {soft_link("l", canary), hard_link("a", "l/secret"), file("a", "overwritten")}, denied);
    attempt("CVE-2026-31802: hard link with .. behind a link",
            {soft_link("l", canary + "/d"), hard_link("a", "l/../secret")}, denied);
    attempt("hard link to a link",
            {soft_link("l", canary + "/secret"), {.type = '1', .path = "a", .text = "l", .mode = 0777}}, contained);
    attempt("CVE-2021-32760: mode of a hard link to a link that is then written",
            {soft_link("l", canary + "/secret"), hard_link("a", "l"), file("a", "x")}, contained);
    attempt("PAX link path", {with_pax(hard_link("a", "harmless"), {{"linkpath", canary + "/secret"}})}, denied);
    attempt("hard link to a directory", {directory("d"), hard_link("a", "d")}, denied);
    attempt("hard link to the root", {hard_link("a", "/")}, denied);
    // The program's working directory is the canary.
    if (chdir(canary.c_str()) == 0)
        attempt("CVE-2026-50163: hard link relative to the working directory", {hard_link("a", "secret")}, denied);
    if (chdir("/") != 0) ok(false, "back to the root");
}

static void marks() {
    std::string outside = canary.substr(1);
    attempt("CVE-2026-17106: whiteout through a link", {soft_link("a", canary), file("a/.wh.secret", "")}, either);
    attempt("CVE-2026-17106: opaque mark through a link", {soft_link("a", canary), file("a/.wh..wh..opq", "")}, either);
    attempt("whiteout with .. in front", {file(up + outside + "/.wh.secret", "")}, denied);
    attempt("whiteout of ..", {directory("a"), file("a/.wh...", "")}, denied);
    attempt("whiteout of .", {directory("a"), file("a/.wh..", "")}, denied);
    attempt("whiteout of nothing", {file(".wh.", "")}, denied);
    attempt("whiteout with a slash", {file(".wh.a/b", "")}, denied);
    attempt("device 0:0", {{.type = '3', .path = "gone"}}, denied);
    attempt("hard link to a whiteout", {file(".wh.a", ""), hard_link("b", "a")}, denied);
    std::string target = fresh("layer");
    run_layer(target, archive({with_pax(directory("d"), {{"SCHILY.xattr.trusted.overlay.opaque", "y"},
                                                         {"SCHILY.xattr.trusted.overlay.redirect", "/etc"},
                                                         {"SCHILY.xattr.user.overlay.opaque", "y"},
                                                         {"SCHILY.xattr.user.kept", "k"}})}));
    same(listing(target, false), std::string(". 40755 0:0\nd 40755 0:0 user.kept=6b\n"),
         "xattrs of overlay from an image are dropped, others stay");
}

int main(int argc, char **argv) {
    use_program(argc, argv);
    canary = make_canary();
    for (int i = 0; i < 12; i++) up += "../";
    names();
    through_links();
    hard_links();
    marks();
    return done();
}
