/* The supervisor of one pod: requests in, exits out. */
#pragma once

/* Serves `listener` until SHUTDOWN, and `streams` (loop/offer.h) beside it; `directory` is where the daemon finds both sockets and the exit
 * records. `null_fd` is /dev/null. */
_Noreturn void supervisor_main(int listener, int streams, const char *directory, int null_fd);
