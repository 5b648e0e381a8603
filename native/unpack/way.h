// The directory that a path means when the root is taken for "/", made where it is missing.
#pragma once
#include <functional>
#include <string>

#include "fd.h"

struct Way {
    Fd directory;
    std::string path; // without links
};

// Of a directory that was made; true when it replaces a whiteout, so that nothing of lower layers is seen in it.
using Made = std::function<void(const std::string &path, bool replaces)>;

// Also where a link leads to: a lower layer, or a later entry of this one, has more to say about the directory. Throws Failure.
Way make_way(int root, const std::string &path, const Made &made);
