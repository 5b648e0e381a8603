// libFuzzer: any bytes as an archive; what is read must stay within what there is. A quarter of the inputs get right checksums.
#include "../tar_reader.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "../failure.h"
#include "../tar_header.h"

static void correct_checksums(std::vector<uint8_t> &archive) {
    for (size_t at = 0; at + tar_block <= archive.size(); at += tar_block) {
        uint8_t *header = archive.data() + at;
        unsigned sum = 8 * ' ';
        for (size_t i = 0; i < tar_block; i++)
            if (i < tar_field::checksum.at || i >= tar_field::checksum.at + tar_field::checksum.size) sum += header[i];
        snprintf(reinterpret_cast<char *>(header + tar_field::checksum.at), tar_field::checksum.size, "%06o", sum);
    }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    std::vector<uint8_t> archive(data + 1, data + size);
    if (data[0] % 4) correct_checksums(archive);
    size_t at = 0;
    auto source = [&](uint8_t *to, size_t most) {
        size_t count = std::min(most, archive.size() - at);
        memcpy(to, archive.data() + at, count);
        at += count;
        return count;
    };
    TarReader reader(source, {.max_bytes = 1 << 20, .max_entries = 1000});
    try {
        TarEntry entry;
        while (reader.next(entry)) {
            if (entry.path.empty() || entry.path.find('\0') != entry.path.npos || entry.mtime.tv_nsec < 0) abort();
            uint8_t buffer[100];
            uint64_t have = 0, wanted = 0;
            for (const TarSpan &span : entry.spans) {
                if (span.offset > entry.size || span.size > entry.size - span.offset) abort();
                wanted += span.size;
            }
            for (size_t got; (got = reader.read(buffer, sizeof buffer)) > 0;) have += got;
            if (have != wanted) abort();
        }
        reader.drain();
    } catch (const Failure &) {
    }
    if (reader.bytes() > archive.size() || reader.entries() > 1001) abort();
    return 0;
}
