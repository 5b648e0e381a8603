/* A seccomp filter of the system calls that a process of ours still needs where a container may trace it; any other ends it. */
#pragma once

#define ALLOW_LIST_MAX 8u

/* 0, also where the kernel has no filters; -1 with errno. Without CAP_SYS_ADMIN the process needs no_new_privs. */
int allow_list_load(const int *calls, unsigned count);
