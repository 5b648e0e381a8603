// SHA-256 of a stream (FIPS 180-4), by the CPU's SHA instructions where it has them.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

class Sha256 {
public:
    // `portable`: without the CPU's instructions; for tests.
    explicit Sha256(bool portable = false);
    void update(const void *data, size_t size);
    // "sha256:<64 hex digits>"; may be called once.
    std::string finish();

    static bool accelerated();

private:
    static constexpr size_t block = 64;
    using Compress = void (*)(uint32_t *state, const uint8_t *data, size_t blocks);

    Compress compress_;
    std::array<uint32_t, 8> state_;
    std::array<uint8_t, block> pending_{};
    size_t pending_size_ = 0;
    uint64_t total_ = 0;
};
