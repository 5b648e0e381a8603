/* Names inside a root: nothing leads out, missing names are made where they belong. */
#include "build/path.h"
#include "test/fixture.h"

static int root;

static const char *error_name(int error) {
    switch (error) {
    case ELOOP:
        return "ELOOP";
    case ENOENT:
        return "ENOENT";
    case ENOTDIR:
        return "ENOTDIR";
    case EINVAL:
        return "EINVAL";
    case ENAMETOOLONG:
        return "ENAMETOOLONG";
    default:
        return strerror(error);
    }
}

/* Where the descriptor is, below the root; the name of the errno otherwise. */
static const char *where(int fd) {
    static char path[4096], link[64];
    if (fd < 0) return error_name(errno);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n < 0 ? 0 : n] = 0;
    close(fd);
    size_t len = strlen(at("root"));
    return strncmp(path, at("root"), len) == 0 ? (path[len] ? path + len : "/") : path;
}

/* openat2 answers EAGAIN when "anything" is renamed while ".." is followed: a neighbour must not make a look-up fail by it. */
static void test_renames_elsewhere(void) {
    mkdir(at("elsewhere"), 0755);
    put_file(at("elsewhere/one"), "");
    char *one = at("elsewhere/one"), *two = at("elsewhere/two");
    pid_t neighbour = fork();
    for (; neighbour == 0;)
        if (rename(one, two) < 0 || rename(two, one) < 0) _exit(1);
    int failed = 0, fd;
    for (int i = 0; i < 20000; i++) {
        if ((fd = path_in_root(root, "up/a", PATH_MAKE_NOTHING)) < 0) failed++;
        if (fd >= 0) close(fd);
    }
    ok(failed == 0, "20000 look-ups while a neighbour renames: %d fail", failed);
    kill(neighbour, SIGKILL);
    waitpid(neighbour, NULL, 0);
    (void)!unlink(one), (void)!unlink(two);
}

int main(void) {
    static const char *const found[][2] = {
        {"a/", "/a"},      {"a/.", "/a"},          {"a//f", "/a/f"},      {"./a", "/a"},        {"/", "/"},
        {"..", "/"},       {"/../../a/f", "/a/f"}, {"up/a", "/a"},        {"absolute", "/a"},   {"absolute/f", "/a/f"},
        {"loop", "ELOOP"}, {"loop/x", "ELOOP"},    {"missing", "ENOENT"}, {"a/f/x", "ENOTDIR"}, {"", "ENOENT"}};
    static const char *const made[][2] = {{"new/one/two", "/new/one/two"},
                                          {"new2/", "/new2"},
                                          {"/n3//./x", "/n3/x"},
                                          {"dangling", "/a/target"},
                                          {"dangling2/x", "/deep/down/x"},
                                          {"escape/x", "/etc/x"},
                                          {"n4/../n5", "EINVAL"},
                                          {"magic/x", "ELOOP"},
                                          {"turning", "ELOOP"}};
    setvbuf(stdout, NULL, _IOLBF, 0);
    strcpy(fixture_dir, "/tmp/jangada-test-XXXXXX");
    if (!mkdtemp(fixture_dir)) return 1;
    mkdir(at("root"), 0755);
    mkdir(at("root/a"), 0755);
    put_file(at("root/a/f"), "");
    const char *links[][2] = {
        {"up", "../../../.."},        {"absolute", "/a"},          {"loop", "loop"},
        {"dangling", "a/target"},     {"dangling2", "/deep/down"}, {"escape", "../../../../../../etc"},
        {"magic", "/proc/self/root"}, {"turning", "turning2"},     {"turning2", "turning"}};
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if (symlink(links[i][1], at("root/%s", links[i][0])) < 0) perror(links[i][0]);
    if (symlink("/proc/self/fd/0", at("root/a/fd")) < 0) perror("fd");
    root = open(at("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++)
        same(where(path_in_root(root, found[i][0], PATH_MAKE_NOTHING)), found[i][1], found[i][0]);
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        bool file = i % 2 == 0;
        const char *got = where(path_in_root(root, made[i][0], file ? PATH_MAKE_FILE : PATH_MAKE_DIRECTORY));
        if (strcmp(made[i][0], "magic/x") == 0) /* /proc does not exist in this root: it is made there */
            same(got, "/proc/self/root/x", "a path of magic links is a path of names here");
        else
            same(got, made[i][1], made[i][0]);
    }
    char name[4200];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    same(where(path_in_root(root, name, PATH_MAKE_FILE)), "ENAMETOOLONG", "4199 bytes");
    name[300] = 0;
    same(where(path_in_root(root, name, PATH_MAKE_FILE)), "ENAMETOOLONG", "a component of 300");
    same(where(path_no_symlinks(root, "/up/a", PATH_MAKE_DIRECTORY)), "ELOOP", "CVE-2019-19921: no symlink");
    same(where(path_no_symlinks(root, "/a/../a", PATH_MAKE_DIRECTORY)), "/a", "dots that stay inside");
    same(where(path_no_symlinks(root, "/x/y", PATH_MAKE_DIRECTORY)), "/x/y", "missing directories are made");
    same(where(path_no_symlinks(root, "/absolute/y", PATH_MAKE_DIRECTORY)), "ELOOP", "not through a symlink");
    test_renames_elsewhere();
    fixture_remove();
    return done();
}
