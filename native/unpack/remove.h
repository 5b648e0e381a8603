// Deletes a tree that strangers have written: by descriptor, never following a link, never leaving the file system, and with the same
// memory for ten levels as for ten thousand.
#pragma once
#include <string>

// Throws Failure; what is missing is no error.
void remove_tree(int parent, const std::string &name);
