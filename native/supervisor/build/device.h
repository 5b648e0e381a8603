/* Device nodes and symlinks, made through the descriptor of our own /dev and nothing else (CVE-2026-41579). */
#pragma once
#include "build/builder.h"

int device_apply_all(struct builder *b);
