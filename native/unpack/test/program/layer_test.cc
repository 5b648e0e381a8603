// Good layers: everything an image may hold arrives as it is, in overlay's form.
#include <algorithm>
#include <sys/mount.h>
#include <sys/stat.h>

#include "../../digest.h"
#include "forge.h"
#include "program.h"

using namespace forge;

static std::string digest_of(const std::string &text) {
    Sha256 sha;
    sha.update(text.data(), text.size());
    return sha.finish();
}

static std::string unpacked(const std::vector<Entry> &entries, const std::string &name, bool with_times = false) {
    std::string target = fresh("layer");
    Result result = run_layer(target, archive(entries));
    if (!ok(result.code == 0, name + ": unpacks")) note("message", result.err);
    return listing(target, with_times);
}

static std::vector<Entry> everything() {
    // cap_net_bind_service=ep, as vfs_cap_data revision 2 (linux/capability.h).
    const std::string capability("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                                 20);
    std::string long_directory = "long/" + std::string(120, 'd'),
                long_file = long_directory + "/" + std::string(140, 'f');
    return {
        {.type = '5', .path = "./", .mode = 0751, .uid = 7, .gid = 8, .mtime = 1'000'000'000},
        directory("etc"),
        {.path = "etc/plain", .text = "plain", .mode = 0640, .uid = 12, .gid = 34},
        {.path = "etc/empty", .text = "", .mtime = 0},
        {.path = "etc/old", .text = "old", .pax = {{"mtime", "-1.5"}}},
        {.path = "etc/exact", .text = "ns", .pax = {{"mtime", "1600000000.123456789"}}},
        {.path = "etc/large-owner", .text = "", .pax = {{"uid", "4294967294"}, {"gid", "3000000000"}}},
        {.path = "setuid", .text = "#!", .mode = 04755, .uid = 1, .gid = 1},
        {.path = "setgid", .text = "#!", .mode = 02755, .uid = 1, .gid = 1},
        {.path = "capable",
         .text = "#!",
         .mode = 0755,
         .uid = 5,
         .pax = {{"SCHILY.xattr.security.capability", capability}}},
        {.path = "noted", .text = "x", .mode = 0444, .pax = {{"SCHILY.xattr.user.note", "value"}}},
        {.type = '5', .path = "tmp", .mode = 01777, .mtime = 1'400'000'000},
        {.type = '5', .path = "group", .mode = 02775, .gid = 50},
        {.path = "group/inside", .text = "i", .gid = 51},
        soft_link("absolute", "/etc/plain"),
        soft_link("dangling", "../../nowhere"),
        {.type = '2', .path = "owned-link", .text = "etc", .uid = 9, .gid = 9},
        hard_link("twin", "etc/plain"),
        {.type = '3', .path = "null", .mode = 0666, .major = 1, .minor = 3},
        {.type = '4', .path = "disk", .mode = 0660, .gid = 6, .major = 259, .minor = 70000},
        {.type = '6', .path = "queue", .mode = 0600},
        directory("long"),
        {.type = '5', .path = "x", .mode = 0755, .pax = {{"path", long_directory}}},
        {.path = "x", .text = "far", .pax = {{"path", long_file}}},
        {.type = '1', .path = "x", .text = "x", .pax = {{"path", "long/link"}, {"linkpath", long_file}}},
        {.path = "big", .text = std::string(3'000'000, 'b')},
        file(std::string("bytes \xff\xfe \n newline"), "odd"),
    };
}

static void like_gnu_tar() {
    std::string blob = archive(everything()), ours = fresh("ours"), theirs = fresh("theirs");
    Result result = run_layer(ours, blob);
    if (!ok(result.code == 0, "all kinds of entries unpack")) note("message", result.err);
    same(run_quietly({"tar", "--extract", "--file=-", "--directory=" + theirs, "--same-owner", "--same-permissions",
                      "--numeric-owner", "--delay-directory-restore", "--xattrs", "--xattrs-include=*",
                      "--absolute-names"},
                     blob),
         0, "GNU tar unpacks them too");
    same(listing(ours), listing(theirs), "both trees are the same in content, modes, owners, times, links and xattrs");
    same(result.field("entries"), std::to_string(everything().size()), "number of entries");
    same(result.field("uncompressed"), std::to_string(blob.size()), "bytes of the archive");
}

static void codecs() {
    std::string blob = archive(everything()), half = blob.substr(0, 5000), rest = blob.substr(5000);
    const std::pair<const char *, std::string> forms[] = {
        {"plain", blob},
        {"gzip", gzip(blob)},
        {"gzip of two members", gzip(half) + gzip(rest)},
        {"zstd", zstd(blob)},
        {"zstd of two frames", zstd(half) + zstd(rest)},
    };
    std::string wanted;
    for (const auto &[name, form] : forms) {
        std::string target = fresh("codec");
        Result result = run_layer(target, form);
        same(result.field("digest"), digest_of(form), std::string(name) + ": digest of the blob");
        same(result.field("diffid"), digest_of(blob), std::string(name) + ": diff ID");
        same(result.field("compressed"), std::to_string(form.size()), std::string(name) + ": size of the blob");
        if (wanted.empty()) wanted = listing(target);
        same(listing(target), wanted, std::string(name) + ": the tree");
    }
    std::string behind = blob + std::string(100'000, '\0');
    same(run_layer(fresh("codec"), gzip(behind)).field("diffid"), digest_of(behind),
         "what is behind the end is in the diff ID");
}

static void whiteouts() {
    const std::string opaque = " trusted.overlay.opaque=79";
    std::string tree =
        unpacked({directory("d"), file("d/.wh.gone", ""), directory("o"), file("o/.wh..wh..opq", ""), file("o/new")},
                 "whiteouts");
    has(tree, "\nd/gone 20000 0:0 links=1 0:0\n", "a whiteout is character device 0:0");
    has(tree, "\no 40755 0:0" + opaque + "\n", "an opaque directory has the mark");
    ok(tree.find(".wh.") == std::string::npos, "no name of a mark stays");
    has(unpacked({file(".wh.d", ""), directory("d"), file("d/new")}, "whiteout, then directory"),
        "\nd 40755 0:0" + opaque + "\n", "a directory after its own whiteout hides the lower one");
    has(unpacked({directory("d"), file("d/new"), file(".wh.d", "")}, "directory, then whiteout"),
        "\nd 40755 0:0" + opaque + "\n", "and so before it");
    has(unpacked({file(".wh.d", ""), file("d/new")}, "whiteout, then a file below"), "\nd 40755 0:0" + opaque + "\n",
        "and unmentioned");
    has(unpacked({file(".wh.f", ""), file("f", "new")}, "whiteout, then file"), "\nf 100644",
        "a file replaces its whiteout");
    has(unpacked({file("f", "new"), file(".wh.f", "")}, "file, then whiteout"), "\nf 100644",
        "a whiteout is about lower layers");
    same(unpacked({file(".wh..wh.aufs", ""), directory(".wh..wh.plnk"), file(".wh..wh.plnk/1.2")}, "AUFS bookkeeping"),
         std::string(". 40755 0:0\n"), "is left out");
}

// What a container sees of two layers.
static void as_overlay() {
    std::string lower = fresh("lower"), upper = fresh("upper"), merged = fresh("merged");
    run_layer(lower, archive({directory("d"), file("d/gone"), file("d/kept"), directory("o"), file("o/hidden"),
                              directory("w"), file("w/hidden")}));
    run_layer(upper, archive({directory("d"), file("d/.wh.gone", ""), directory("o"), file("o/.wh..wh..opq", ""),
                              file("o/new"), file(".wh.w", ""), directory("w"), file("w/new")}));
    std::string options = "lowerdir=" + upper + ":" + lower;
    same(mount("overlay", merged.c_str(), "overlay", MS_RDONLY, options.c_str()), 0, "overlay takes both layers");
    std::string names;
    for (const char *name : {"d/gone", "d/kept", "o/hidden", "o/new", "w/hidden", "w/new"}) {
        struct stat st;
        if (stat((merged + "/" + name).c_str(), &st) == 0) names += std::string(name) + " ";
    }
    same(names, std::string("d/kept o/new w/new "), "deleted is deleted, opaque is opaque");
    umount2(merged.c_str(), MNT_DETACH);
}

static void shapes() {
    has(unpacked({file("a/b/c", "x")}, "missing parents"), "\na/b 40755 0:0\n", "missing parents have mode 0755");
    has(unpacked({directory("usr"), directory("usr/lib"), soft_link("lib", "usr/lib"), file("lib/x", "through")},
                 "usr-merge"),
        "\nusr/lib/x 100644", "files are written through a link of the layer");
    has(unpacked({directory("usr"), directory("usr/lib"), soft_link("lib", "/usr/lib"), file("lib/x", "through")},
                 "absolute usr-merge"),
        "\nusr/lib/x 100644", "and through an absolute one");
    has(unpacked({directory("d"), file("d/f", "x"), file("d", "now a file")}, "file over directory"), "\nd 100644",
        "a file replaces a directory");
    has(unpacked({soft_link("l", "d"), directory("d"), directory("l")}, "directory over link"), "\nl 40755",
        "a directory replaces a link");
    has(unpacked({directory("d"), file("d/f", "x"), directory("d", 0700)}, "directory twice"), "\nd/f 100644",
        "a directory keeps what it has");
    has(unpacked({file("f", "one"), file("f", "other")}, "file twice"), digest_of("other"), "the later content wins");
    has(unpacked({file("a", "one"), hard_link("b", "a"), file("a", "two")}, "replaced after linking"), digest_of("one"),
        "the other name keeps the old content");
    has(unpacked({directory("etc"), file("etc/a"), hard_link("b", "/etc/a")}, "CVE-2026-17106: absolute hard link"),
        "\nb 100644 0:0 links=2", "is the layer's own");
    has(unpacked({file("a"), hard_link("a", "a")}, "link to itself"), "\na 100644 0:0 links=1", "changes nothing");
}

// A link and what is below it may be in one layer, and the directory that is meant in another, or later.
static void elsewhere() {
    const std::string through = "\nrun/x 100644";
    has(unpacked({directory("var"), soft_link("var/run", "/run"), file("var/run/x")}, "directory of a lower layer"),
        through, "a directory that a lower layer has");
    has(unpacked({directory("var"), soft_link("var/run", "../run"), file("var/run/x")}, "relative"), through,
        "by a relative link");
    has(unpacked({soft_link("l", "d"), file("l/x"), {.type = '5', .path = "d", .mode = 0711, .uid = 5}}, "later"),
        "\nd 40711 5:0", "a directory that comes later has its own mode and owner");
    has(unpacked({soft_link("a", "b/c"), soft_link("b", "/d"), file("a/e/x")}, "chain"), "\nd/c/e/x 100644",
        "a chain of links");
    std::string target = fresh("layer"), marks = target + ".marks";
    Result result = run_layer(
        target,
        archive({file("tmp/x"), file("d/e/f"), directory("d"), file("w/.wh.gone", ""), file(".wh.o", ""), file("o/x"),
                 file("q/.wh..wh..opq", ""), file("gone/x"), file("gone"), directory("is/explicit")}),
        {"--marks", marks});
    same(result.field("entries"), "18", "directories that were left out are counted");
    same(result.field("marks"), "7", "and told of");
    std::string text = read_file(marks);
    std::replace(text.begin(), text.end(), '\0', ' ');
    same(text, "4 1d/e 1is 2o 3q 1tmp 5w ", "what the tree does not say of its directories");
}

int main(int argc, char **argv) {
    use_program(argc, argv);
    elsewhere();
    like_gnu_tar();
    codecs();
    whiteouts();
    as_overlay();
    shapes();
    return done();
}
