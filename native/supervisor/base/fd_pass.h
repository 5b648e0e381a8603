/* Descriptors from one process of ours to another, over a socket of type SOCK_SEQPACKET. */
#pragma once

#define FD_PASS_MAX 4

/* 0, or -1 with errno. */
int fd_pass_send(int to, const int *fds, int count);

/* Waits at most `timeout_ms` (-1: without end). 0 when exactly `count` came, or -1 with errno: EPIPE when the other side is gone. */
int fd_pass_receive(int from, int *fds, int count, int timeout_ms);
