// Deletes a tree that strangers have written: by descriptor, never following a link, never leaving the file system, and with the same
// memory for ten levels as for ten thousand.
#pragma once
#include <string>

#include "fd.h"

// Throws Failure; what is missing is no error.
void remove_tree(int parent, const std::string &name);

// For a process that only removes: `directory` becomes all it can see, and it keeps the privileges for this and no other.
// Mounts below stay in sight, because a tree that something is still mounted on must not go.
Fd remove_confine(const char *directory);
