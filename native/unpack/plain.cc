#include "plain.h"

#include <string>
#include <unistd.h>
#include <vector>

#include "confine.h"
#include "decompress.h"
#include "failure.h"
#include "filter.h"
#include "input.h"

namespace {

constexpr size_t chunk = 1 << 20;

void write_all(const uint8_t *data, size_t size) {
    while (size > 0) {
        ssize_t count = write(STDOUT_FILENO, data, size);
        if (count < 0 && errno != EINTR) local_failure(errno, "plain stream on standard output");
        if (count < 0) continue;
        data += count;
        size -= static_cast<size_t>(count);
    }
}

} // namespace

void write_plain(uint64_t max_bytes) {
    decompress_prepare();
    // It opens nothing: the filter is all the wall that is needed.
    confine_drop({});
    filter_system_calls(Role::plain);
    auto stream = decompress(read_input);
    std::vector<uint8_t> buffer(chunk);
    for (size_t got; (got = stream->read(buffer.data(), chunk)) > 0; max_bytes -= got) {
        if (got > max_bytes) throw Failure{Blame::local, "too large for the free space of the disk"};
        write_all(buffer.data(), got);
    }
}
