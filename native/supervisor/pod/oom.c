#include "pod/oom.h"

#include "cgroup/report.h"
#include "pod/container.h"

static uint64_t settled; /* kills of the containers that have ended */

static bool read_own(struct container *c, struct cgroup_report *report) {
    cgroup_report_read(&c->kept, report);
    if (report->own) c->oom_kills.known = report->oom_kills;
    if (report->limit) c->oom_kills.limit = report->limit;
    return report->own;
}

static uint64_t explained_by_others(const struct container *c) {
    struct cgroup_report report;
    uint64_t sum = settled;
    for (struct container *other = container_next(NULL); other; other = container_next(other)) {
        if (other == c || !container_is_live(other)) continue;
        read_own(other, &report);
        sum += other->oom_kills.known;
    }
    return sum;
}

void oom_begin(struct container *c) {
    struct cgroup_report report;
    read_own(c, &report);
    if (!report.scope) return;
    c->oom_kills.parent = report.parent_kills;
    c->oom_kills.explained = explained_by_others(c);
}

bool oom_end(struct container *c) {
    struct cgroup_report report;
    bool own = read_own(c, &report);
    uint64_t grown = report.parent_kills - c->oom_kills.parent;
    bool happened = own ? report.oom_kills > 0
                        : report.scope && report.parent_kills > c->oom_kills.parent &&
                              grown > explained_by_others(c) - c->oom_kills.explained;
    settled += c->oom_kills.known;
    return happened;
}
