/* The plan decoder: what it takes, what it refuses, and that it takes nothing else. */
#include "test/fixture.h"

static struct draft d;
static struct plan plan;
static struct error err;

static bool decodes(enum plan_purpose purpose) {
    struct wire_bytes bytes = bytes_of(&d);
    bool good = plan_decode(&bytes, purpose, &plan, &err) == 0;
    if (good) plan_free(&plan);
    return good;
}

static void ordinary(void) {
    struct wish w = {.script = "true", .masks = {"/proc/kcore"}, .readonly = {"/proc/sys"}, .seccomp = true};
    draft_container(&d, "/layer", "plan", &w);
}

static void test_values(void) {
    ordinary();
    struct wire_bytes bytes = bytes_of(&d);
    ok(plan_decode(&bytes, PLAN_OF_CONTAINER, &plan, &err) == 0, "a plan is decoded");
    struct plan_op *rootfs = plan_find(&plan, PLAN_ROOTFS), *exec = plan_find(&plan, PLAN_EXEC);
    ok(rootfs->rootfs.lower.count == 1 && !rootfs->rootfs.lower.at[1], "a list ends with NULL");
    same(rootfs->rootfs.lower.at[0], "/layer", "a list's string");
    ok(exec->exec.argv.count == 3 && exec->exec.env.count == 1 && !exec->exec.argv.at[3] && !exec->exec.env.at[1],
       "argv and env");
    same(exec->exec.argv.at[2], "true", "the last argument");
    same(plan_step(plan_find(&plan, PLAN_MOUNT)), "mount", "a step has a name");
    ok(plan_find(&plan, PLAN_CREDENTIALS)->credentials.bounding == CAPS_DEFAULT, "64 bits");
    plan_free(&plan);
}

static void test_cut(void) {
    ordinary();
    size_t whole = d.w.len;
    int taken = 0;
    for (d.w.len = 0; d.w.len < whole; d.w.len++) taken += decodes(PLAN_OF_CONTAINER);
    ok(taken == 0, "cut at any byte it is refused");
    ok(decodes(PLAN_OF_CONTAINER), "whole it is not");
    ok(!decodes(PLAN_OF_PROCESS) && !decodes(PLAN_OF_UPDATE), "it is no plan of another purpose");
}

static void refuses(const char *name) { ok(!decodes(PLAN_OF_CONTAINER), "%s is refused: %s", name, err.detail); }

static void test_refusals(void) {
    ordinary();
    put_path(&d, PLAN_MASK, "/late");
    refuses("an operation out of order");
    ordinary();
    put_exec(&d, (const char *[]){"/bin/x", NULL});
    refuses("a second exec");
    ordinary();
    op_begin(&d, 999);
    op_end(&d);
    refuses("an unknown operation");
    wire_writer_init(&d.w, d.data, sizeof d.data);
    refuses("an empty plan");
    ordinary();
    d.w.len = d.op;
    put_exec(&d, (const char *[]){"", NULL});
    refuses("an empty command");
    ordinary();
    d.w.len = d.op;
    op_begin(&d, PLAN_EXEC);
    wire_put_bytes(&d.w, 1, "/bin/sh\0x", 9);
    op_end(&d);
    refuses("a NUL in an argument");
    static const struct {
        uint16_t id;
        uint32_t len;
        const char *value;
        const char *name;
    } extra[] = {{11, 4, "\0\0\0\0", "an unknown field"}, {10, 4, "\0\0\0\0", "a field twice"}};
    for (size_t i = 0; i < 2; i++) {
        wire_writer_init(&d.w, d.data, sizeof d.data);
        put_credentials(&d, &root_identity);
        wire_put_bytes(&d.w, extra[i].id, extra[i].value, extra[i].len);
        op_end(&d);
        refuses(extra[i].name);
    }
}

static void test_identity(void) {
    struct wish w = {.script = "true"};
    struct identity bad[] = {
        {.uid = UINT32_MAX}, {.gid = UINT32_MAX}, {.groups = {UINT32_MAX}, .group_count = 1}, {.no_new_privileges = 2}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        w.identity = &bad[i];
        draft_container(&d, "/layer", "plan", &w);
        refuses("CVE-2024-40635: an identity out of range");
    }
    struct identity top = {.uid = UINT32_MAX - 1, .gid = UINT32_MAX - 1};
    w.identity = &top;
    draft_container(&d, "/layer", "plan", &w);
    ok(decodes(PLAN_OF_CONTAINER), "the largest ids are ids");
}

static void test_paths(void) {
    static const char *const bad[] = {"", "relative", "/sys/fs/cgroup/x/../../..", "/.."};
    struct wish w = {.script = "true"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        w.cgroup[0] = bad[i];
        draft_container(&d, "/layer", "plan", &w);
        refuses("a cgroup path that is relative or climbs");
    }
    w = (struct wish){.script = "true", .extra_mount = {"ext4", "/x", NULL}};
    draft_container(&d, "/layer", "plan", &w);
    refuses("a file system that containers do not mount");
    ordinary();
    d.w.len = d.op;
    put_path(&d, PLAN_CWD, "/");
    refuses("a plan without a command");
}

/* A privileged container on a host with many devices. */
static void test_counts(void) {
    static uint8_t large[1 << 20];
    static struct draft one;
    wire_writer_init(&one.w, one.data, sizeof one.data);
    put_device(&one, "/dev/x", 1, 3);
    ordinary();
    struct wire_bytes all = bytes_of(&d);
    for (uint32_t count = 4096 - 11; count <= 4096; count += 11) {
        struct wire_reader reader;
        struct wire_field f;
        size_t len = 0;
        bool put = false;
        wire_reader_init(&reader, all.data, all.len);
        while (wire_next(&reader, &f) == 1) {
            for (uint32_t i = 0; f.id == PLAN_DEVICE && !put && i < count; i++, len += one.w.len)
                memcpy(large + len, one.data, one.w.len);
            put |= f.id == PLAN_DEVICE;
            memcpy(large + len, f.value.data - 6, f.value.len + 6);
            len += f.value.len + 6;
        }
        struct wire_bytes bytes = {large, (uint32_t)len};
        bool good = plan_decode(&bytes, PLAN_OF_CONTAINER, &plan, &err) == 0;
        if (good) plan_free(&plan);
        ok(good == (count < 4096), "%u further devices are %s", count, good ? "taken" : "refused");
    }
}

static void test_no_byte_is_ignored(void) {
    ordinary();
    size_t whole = d.w.len;
    unsigned seed = 1;
    for (int i = 0; i < 200000; i++) { /* no crash and no leak; ASan and UBSan look on */
        size_t at_byte = (seed = seed * 1103515245u + 12345u) % whole;
        uint8_t kept = d.data[at_byte];
        d.data[at_byte] ^= (uint8_t)(1u << (seed >> 16 & 7));
        (void)decodes(PLAN_OF_CONTAINER);
        if (seed >> 20 & 3) d.data[at_byte] = kept;
        if (i % 50 == 0) ordinary();
    }
    ok(true, "flipped bits do no harm");
}

static void test_mountable_proc(void) {
    ok(plan_mountable_proc("/proc/sys/crypto/fips_enabled"), "runc lets it be mounted over, and so do we");
    ok(!plan_mountable_proc("/proc/net/dev"), "what it no longer does we do not");
    ok(!plan_mountable_proc("/proc/meminfo/x") && !plan_mountable_proc("/proc"), "nor what is above or below");
}

int main(void) {
    strcpy(fixture_dir, "/tmp/jangada-test-plan");
    test_values();
    test_cut();
    test_refusals();
    test_identity();
    test_paths();
    test_counts();
    test_no_byte_is_ignored();
    test_mountable_proc();
    return done();
}
