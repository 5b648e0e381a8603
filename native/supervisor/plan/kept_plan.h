/* What is remembered of a plan: in pages of its own, so that they can be given back. Its environment is not: secrets live in it. */
#pragma once
#include "base/error.h"
#include "wire/request.h"

/* Where the cgroups are, which namespaces and which identity it has: all that is needed of a live container. */
int kept_plan_live(const struct wire_bytes *plan, struct wire_bytes *out);
void kept_plan_release(struct wire_bytes *kept);

/* What the supervisor itself must know before it can hand a plan to the builder; the builder checks the rest. */
struct plan_facts {
    bool terminal;
    bool filtered;                            /* has a seccomp filter */
    bool target;                              /* the process joins the PID namespace of another container */
    uint32_t hooks_create_ms, hooks_start_ms; /* how much longer it may take */
    char target_id[CONTAINER_ID_MAX + 1];
};
int plan_facts_read(const struct wire_bytes *plan, struct plan_facts *out, struct error *err);
