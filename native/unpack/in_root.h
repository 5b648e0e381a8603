// Names as the kernel finds them when a directory is taken for "/": links may lead anywhere inside and nowhere outside.
#pragma once
#include <cstdint>
#include <string>

// A descriptor, or -1 with errno. An empty path is the root itself.
int open_in_root(int root, const std::string &path, uint64_t flags);
