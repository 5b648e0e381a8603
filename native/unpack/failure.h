// The one error of this program: a message that names the cause first, then the object.
#pragma once
#include <cerrno>
#include <cstring>
#include <string>

enum class Blame {
    input = 1, // the archive or the image is bad: exit code 1
    local = 2, // this machine cannot do it (full disk, no permission): exit code 2
};

struct Failure {
    Blame blame;
    std::string message;
};

[[noreturn]] inline void bad_input(std::string message) { throw Failure{Blame::input, std::move(message)}; }

[[noreturn]] inline void local_failure(int error, const std::string &object) {
    throw Failure{Blame::local, std::string(strerror(error)) + ": " + object};
}

// Errors that an entry brings upon itself are its fault, all others are this machine's.
[[noreturn]] inline void entry_failure(int error, const std::string &object) {
    switch (error) {
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
    case EXDEV:
    case ENAMETOOLONG:
    case EEXIST:
    case EINVAL:
    case ENOENT:
    case EMLINK:
    case ERANGE:
    case E2BIG:
        bad_input(std::string(strerror(error)) + ": " + object);
    default:
        local_failure(error, object);
    }
}
