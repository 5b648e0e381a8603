/* AppArmor profile and SELinux label of the next execve. */
#pragma once
#include "builder.h"

int lsm_apply(struct builder *b);
