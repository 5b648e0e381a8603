/* The two halves of plan_decode: plan.c reads, plan_check.c judges. */
#pragma once
#include "plan/plan.h"

/* Ranges and combinations that the shape of an operation does not say. */
bool plan_check_op(const struct plan_op *op);
/* 0, or -1 with *err: an operation that is missing, or there too often. */
int plan_check_counts(const struct plan *plan, enum plan_purpose purpose, struct error *err);

bool plan_has_kind(uint16_t code);
/* A path of the host or of the container: absolute and short enough for the kernel. */
bool plan_good_path(const char *path);
