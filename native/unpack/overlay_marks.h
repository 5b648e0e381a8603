// What overlayfs takes for a whiteout and for an opaque directory (overlayfs.rst).
#pragma once
#include <string>
#include <sys/stat.h>

bool is_whiteout(const struct stat &st);
bool is_whiteout(int directory, const std::string &name);
// False with EEXIST when something is there.
bool make_whiteout(int directory, const std::string &name);
void mark_opaque(int directory, const std::string &path);
