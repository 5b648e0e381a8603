/* The supervisor of one pod: requests in, exits out. */
#pragma once

/* Serves `listener` until SHUTDOWN; `directory` is where the daemon finds the socket and the exit records. `null_fd` is /dev/null. */
_Noreturn void supervisor_main(int listener, const char *directory, int null_fd);
