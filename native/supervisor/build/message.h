/* What a builder tells its supervisor over the sync socket (SOCK_SEQPACKET, fixed size, one allowed order; CVE-2026-41163):
 *
 *   builder  → HOOKS           only with hooks that others run: namespaces and tree are there; create only
 *   builder  ← GO              one byte, when they have
 *   builder  → PAYLOAD pid     only when the process had to be cloned into an existing PID namespace
 *   builder  → CONSOLE (+fd)   only with a terminal: the pty's master
 *   builder  → READY           everything of the plan is done but the last step; create only
 *   builder  ← GO              one byte; create only
 *   builder  → FAILED          at any point instead of the above; the process then exits
 *   builder  : EOF             execve succeeded (the socket is close-on-exec)                                                     */
#pragma once
#include <stdint.h>

enum build_message_type { BUILD_PAYLOAD = 1, BUILD_CONSOLE, BUILD_READY, BUILD_FAILED, BUILD_HOOKS };

struct build_message {
    uint32_t type;
    int32_t pid;   /* BUILD_PAYLOAD: pid in the supervisor's PID namespace */
    int32_t error; /* BUILD_FAILED: as in struct error */
    char step[32];
    char detail[216];
};
