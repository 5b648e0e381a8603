// What removing and counting have in common: trees that strangers have written, and may still write to, are gone through by descriptor.
#pragma once
#include <fcntl.h>
#include <functional>
#include <initializer_list>

#include "fd.h"
#include "filter.h"

constexpr int tree_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Every name but "." and "..". Throws Failure.
void tree_for_each_name(int directory, const std::function<void(const char *)> &visit);

// The directory at `path`: below, through no link, and not on another mount, a bind mount of the same file system included: that is
// somebody else's. Not valid, and errno set, when there is none.
Fd tree_open(int directory, const char *path);

// For a process that goes through trees in `directory` only: it becomes all it can see, and of its privileges these are kept.
// Mounts below stay in sight. Throws Failure.
Fd tree_confine(const char *directory, std::initializer_list<int> capabilities, Role role);
