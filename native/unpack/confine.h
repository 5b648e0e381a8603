// Walls around the process that meets a stranger's archive.
#pragma once
#include <initializer_list>

#include "fd.h"

// Makes `directory` the root of a mount namespace of our own, with nothing else in it. Returns it opened.
Fd confine_to(const char *directory);
// The same for a tree that is mounted already: the current mount namespace must be our own.
void confine_pivot(int directory);
// Keeps these capabilities and no other, for good; and caps what a bad archive could eat. Capabilities are a thread's own:
// to be called while there is one thread.
void confine_drop(std::initializer_list<int> capabilities);
