/* The spawner: forks supervisors and runs host programs, so that the daemon, which is big, never forks. */
#pragma once

/* Serves the daemon's socket until it is closed. */
_Noreturn void spawner_main(int daemon, int null_fd, int oom_score_adj);
