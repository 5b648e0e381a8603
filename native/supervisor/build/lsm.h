/* AppArmor profile and SELinux label of the next execve. */
#pragma once
#include "build/builder.h"

/* In the host's mount namespace: a way to the attributes of this process that no container can bend. */
int lsm_open(struct builder *b);

int lsm_apply(struct builder *b);
