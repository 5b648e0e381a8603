// Memory for bytes that are going to be read. Nobody has written to it: a page that a small layer does not need costs no fault.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

class Room {
public:
    explicit Room(size_t size) : bytes_(std::make_unique_for_overwrite<uint8_t[]>(size)), size_(size) {}
    uint8_t *data() { return bytes_.get(); }
    size_t size() const { return size_; }

private:
    std::unique_ptr<uint8_t[]> bytes_;
    size_t size_;
};
