// One layer: compressed stream on stdin to a directory, both digests taken on the way.
#pragma once
#include <string>

#include "tar_reader.h"

struct LayerResult {
    std::string digest;  // of the compressed stream
    std::string diff_id; // of the tar stream
    uint64_t compressed = 0, uncompressed = 0, entries = 0, size = 0, marks = 0;
};

// Marks of directories go to the new file `marks`, if it has a name.
LayerResult unpack_layer(const std::string &target, const std::string &marks, TarLimits limits, bool sync);
