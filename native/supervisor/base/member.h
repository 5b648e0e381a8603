/* From a member to what it is a member of: how a callback finds its owner. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define container_of(pointer, type, member) ((type *)((uintptr_t)(pointer) - offsetof(type, member)))
