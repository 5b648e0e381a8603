/* The pod's own namespaces. The supervisor itself lives in them and thereby holds them: there is no pause process. */
#pragma once
#include "base/error.h"
#include "build/env.h"
#include "loop/child.h"
#include "plan/plan.h"
#include "pod/sysctl.h"
#include "wire/request.h"

struct sandbox {
    bool ready;
    struct own_namespaces own;
    struct build_env env; /* its namespaces; -1 before SANDBOX, or when the pod has none of that kind */
    struct child init;    /* of the shared PID namespace */
    int init_lifeline;    /* the init ends when this pipe is closed */
    char netns_path[4096];
    void (*on_init_ended)(struct sandbox *s);
};

void sandbox_init(struct sandbox *s);

/* Carries SANDBOX out; on failure what was made outside of this process is undone. */
int sandbox_make(struct sandbox *s, const struct request *r, struct error *err);

/* Carries SYSCTLS out: parameters of what is in the namespaces by now. */
int sandbox_sysctls(struct sandbox *s, const struct request *r, struct error *err);

/* Gives the pod a shared PID namespace when it has none yet; `plan`: of its init. */
int sandbox_share_pid(struct sandbox *s, const struct plan *plan, struct error *err);

/* Ends the init process and unpins the network namespace. */
void sandbox_unmake(struct sandbox *s);
