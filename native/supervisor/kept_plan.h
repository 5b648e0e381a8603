/* What is remembered of a plan: in pages of its own, so that it can be wiped and given back. */
#pragma once
#include "build.h"
#include "request.h"

/* The whole plan, for the time between its arrival and the verification of the process. */
int kept_plan_copy(const struct wire_bytes *plan, struct wire_bytes *out);
/* Where the cgroups are and which namespaces it has: all that is needed of a live container. */
int kept_plan_live(const struct wire_bytes *plan, struct wire_bytes *out);
void kept_plan_release(struct wire_bytes *kept);

/* What the supervisor itself must know before it can hand a plan to the builder; the builder checks the rest. */
struct plan_facts {
    bool terminal;
    bool target; /* the process joins the PID namespace of another container */
    char target_id[CONTAINER_ID_MAX + 1];
};
int plan_facts_read(const struct wire_bytes *plan, struct plan_facts *out, struct build_error *err);
