// A stream without its compression.
#pragma once
#include <cstdint>

// Standard input to standard output; a stream that comes to more than `max_bytes` is too large.
void write_plain(uint64_t max_bytes);
