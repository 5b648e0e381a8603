/* Plans put together field by field. */
#pragma once
#include "plan/plan.h"

extern bool fixture_idmap_binds; /* of the plans that are drafted from now on */

/* A plan under construction. */
struct draft {
    uint8_t data[65536];
    struct wire_writer w;
    size_t op;
};
void op_begin(struct draft *d, uint16_t code);
void op_end(struct draft *d);
void put_namespaces(struct draft *d, uint8_t pid);
void put_mount(struct draft *d, const char *type, const char *destination, uint32_t flags, const char *option,
               const char *option2);
void put_bind_as(struct draft *d, const char *source, const char *destination, uint32_t flags, bool recursive,
                 uint8_t propagation);
void put_bind(struct draft *d, const char *source, const char *destination, uint32_t flags, bool recursive);
void put_device(struct draft *d, const char *path, uint32_t major, uint32_t minor);
void put_symlink(struct draft *d, const char *path, const char *target);
void put_path(struct draft *d, uint16_t code, const char *path);
void put_terminal(struct draft *d);

struct identity {
    uint32_t uid, gid, groups[4], group_count;
    uint64_t bounding, permitted, effective, inheritable, ambient;
    uint8_t no_new_privileges;
};

/* The default capabilities of a container. */
#define CAPS_DEFAULT 0xa80425fbull

void put_credentials(struct draft *d, const struct identity *id);

/* A filter that allows everything: seccomp(2) is used, nothing is refused. */
void put_seccomp(struct draft *d);
void put_exec(struct draft *d, const char *const *argv);

struct drafted_hook {
    uint8_t stage; /* plan_hook_stage; 0: none */
    const char *argv[4];
    uint32_t timeout_ms; /* 0: 10 s */
};

/* What differs between the plans of the tests; zero is the ordinary container. */
struct wish {
    const char *script;      /* run by sh -c */
    const char *const *argv; /* instead of the script */
    const char *cwd;
    const char *cgroup[4];     /* directories, v1 unless the name has "unified" in it */
    const char *controllers;   /* passed on to the v2 directory */
    const char *limit[3][2];   /* cgroup file and value */
    struct wire_bytes devices; /* program for the v2 directory, which is the first one */
    bool limit_optional;
    const char *masks[4], *readonly[4];
    const char *binds[4][2];
    const char *images[4][2]; /* destination and sub path of an image of the layers "image.top" and "image.below" */
    uint32_t bind_flags;
    uint8_t bind_propagation; /* plan_propagation; 0: private */
    bool bind_recursive_readonly;
    const char *early_bind[2];  /* before the container's own mounts */
    const char *extra_mount[3]; /* type, destination, option */
    uint32_t extra_mount_flags;
    const char *device; /* another node, 1:5 */
    uint8_t pid;        /* plan_pid_mode; 0: container */
    struct drafted_hook hooks[3];
    bool readonly_root, terminal, seccomp, no_dev, no_cgroup_mount;
    struct identity *identity;
};
void draft_container(struct draft *d, const char *layer, const char *name, const struct wish *w);
void draft_exec(struct draft *d, const struct wish *w);

extern const struct identity root_identity;
