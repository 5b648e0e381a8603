// Walls around the process that meets a stranger's archive.
#pragma once
#include <cstdint>

#include "fd.h"

// Makes `directory` the root of a mount namespace of our own, with nothing else in it. Returns it opened.
Fd confine_to(const char *directory);
// Keeps what writing a layer needs and nothing more, for good; and caps what a bad archive could eat.
void confine_drop();
// After the last thread has been started: no further process or thread.
void confine_processes();
