// A bounded queue of buffers between the thread that decompresses and the thread that extracts: whoever is faster waits.
#pragma once
#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "failure.h"
#include "room.h"

class Ring {
public:
    static constexpr size_t chunk = 1 << 20;
    static constexpr size_t slots = 4;

    // Producer: the next free buffer, or nullptr when the consumer has given up.
    uint8_t *begin_write() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return written_ - read_ < slots || abandoned_; });
        return abandoned_ ? nullptr : buffers_[written_ % slots].data();
    }
    void end_write(size_t size) {
        std::lock_guard lock(mutex_);
        sizes_[written_++ % slots] = size;
        changed_.notify_all();
    }
    // Producer: nothing more comes, because the stream has ended or with this failure.
    void close(std::optional<Failure> failure = {}) {
        std::lock_guard lock(mutex_);
        closed_ = true;
        failure_ = std::move(failure);
        changed_.notify_all();
    }

    // Consumer: the next buffer and its size, nullptr at the end. Throws the producer's failure after all whole buffers.
    const uint8_t *begin_read(size_t &size) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return read_ < written_ || closed_; });
        if (read_ == written_) {
            if (failure_) throw *failure_;
            return nullptr;
        }
        size = sizes_[read_ % slots];
        return buffers_[read_ % slots].data();
    }
    void end_read() {
        std::lock_guard lock(mutex_);
        read_++;
        changed_.notify_all();
    }
    void abandon() {
        std::lock_guard lock(mutex_);
        abandoned_ = true;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::array<Room, slots> buffers_{Room(chunk), Room(chunk), Room(chunk), Room(chunk)};
    std::array<size_t, slots> sizes_{};
    uint64_t written_ = 0, read_ = 0;
    bool closed_ = false, abandoned_ = false;
    std::optional<Failure> failure_;
};
