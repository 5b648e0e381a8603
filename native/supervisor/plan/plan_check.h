/* What plan.c, which reads, asks of plan_check.c, which judges. */
#pragma once
#include "plan/plan.h"

/* Combinations that the shape of an operation does not say. */
bool plan_check_op(const struct plan_op *op);

/* A path that is made and removed by its name must have no way out. */
bool plan_has_dotdot(const char *path);
