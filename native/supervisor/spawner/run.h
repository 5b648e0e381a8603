/* RUN: host programs (CNI plugins), several at once, each with a deadline and a bound on its output. */
#pragma once
#include "loop/connection.h"

void run_init(struct connection *connection, int null_fd, int oom_score_adj);
int run_start(const struct request *r, struct error *err);
/* The connection has room again: answers that waited are sent. */
void run_on_room(void);
/* Kills what runs, with all its process group; nobody is told. */
void run_end_all(void);
