// One layer: compressed stream on stdin to a directory, both digests taken on the way.
#pragma once
#include <string>

#include "tar_reader.h"

struct LayerResult {
    std::string digest;  // of the compressed stream
    std::string diff_id; // of the tar stream
    uint64_t compressed = 0, uncompressed = 0, entries = 0, size = 0;
};

LayerResult unpack_layer(const std::string &target, TarLimits limits, bool sync);
