// What a stack of layers must have and none of its layers can: the layer for the top of an image. Each layer is unpacked alone, so only
// the stack tells which mode and owner a directory has that an archive left out, and whether a whiteout hides anything.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

// `names` of directories in `layers`, topmost first; each has its tree in "fs" and, if it has any, its marks in "marks". The changes go to
// "fs" in `target`, which has an empty "work", too. `volumes` are made where they are missing. Returns the number of directories that were
// written. Throws Failure.
uint64_t make_seam(const std::string &layers, const std::string &target, const std::vector<std::string> &names,
                   const std::vector<std::string> &volumes);
