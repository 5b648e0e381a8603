// Names as the kernel finds them when a directory is taken for "/".
#pragma once
#include <cstdint>
#include <string>

// A descriptor, or -1 with errno. An empty path is the root itself. Links may lead anywhere inside and nowhere outside.
int open_in_root(int root, const std::string &path, uint64_t flags);
// Through no link at all: ELOOP when there is one.
int open_without_links(int root, const std::string &path, uint64_t flags);
