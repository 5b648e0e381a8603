// Counts what a tree takes on disk while strangers write to it: no name, depth or link of theirs keeps anything from being counted, or
// makes it count what is not theirs.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

struct Usage {
    uint64_t bytes = 0;    // allocated
    uint64_t inodes = 0;   // a file with several names is one
    uint64_t ms = 0;       // that the counting took
    bool complete = false; // otherwise it is at least this
};

constexpr uint64_t usage_limit_ms = 300'000;

// Nothing when there is no such directory. What takes longer than `limit_ms` has at least what is told. Throws Failure.
std::optional<Usage> count_tree(int parent, const std::string &path, uint64_t limit_ms = usage_limit_ms);
