// Trees for tests that go through them.
#pragma once
#include <fcntl.h>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>

#include "../fd.h"

inline Fd make_directory(int parent, const std::string &name, mode_t mode = 0700) {
    mkdirat(parent, name.c_str(), mode);
    return Fd(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// For good: who recurses, or holds a descriptor for each level, does not get deep.
inline void use_little() {
    const rlimit few{16, 16}, small_stack{256 << 10, 256 << 10};
    setrlimit(RLIMIT_NOFILE, &few);
    setrlimit(RLIMIT_STACK, &small_stack);
}
