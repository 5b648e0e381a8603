#include "digest.h"

#include <algorithm>
#include <bit>
#include <cstring>
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace {

alignas(16) constexpr uint32_t round_constant[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

uint32_t big_endian(const uint8_t *at) {
    return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 | static_cast<uint32_t>(at[2]) << 8 |
           at[3];
}

void compress_portable(uint32_t *state, const uint8_t *data, size_t blocks) {
    using std::rotr;
    for (; blocks > 0; blocks--, data += 64) {
        uint32_t w[64];
        for (size_t i = 0; i < 16; i++) w[i] = big_endian(data + 4 * i);
        for (size_t i = 16; i < 64; i++) {
            uint32_t s0 = rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
            uint32_t s1 = rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        auto [a, b, c, d, e, f, g, h] =
            std::to_array({state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]});
        for (size_t i = 0; i < 64; i++) {
            uint32_t t1 =
                h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + round_constant[i] + w[i];
            uint32_t t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
        }
        const uint32_t after[8] = {a, b, c, d, e, f, g, h};
        for (size_t i = 0; i < 8; i++) state[i] += after[i];
    }
}

#ifdef __x86_64__
// Intel SDM vol. 2, SHA256RNDS2, SHA256MSG1, SHA256MSG2: the state is kept as ABEF and CDGH, four rounds take one vector
// of the schedule.
__attribute__((target("sha,sse4.1"))) void compress_sha_ni(uint32_t *state, const uint8_t *data, size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    auto *words = reinterpret_cast<__m128i *>(state);
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128(words), 0xb1);
    __m128i high = _mm_shuffle_epi32(_mm_loadu_si128(words + 1), 0x1b);
    __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0);
    for (; blocks > 0; blocks--, data += 64) {
        const __m128i before_abef = abef, before_cdgh = cdgh;
        __m128i w[4];
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i *>(data) + i), swap);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i &now = w[i & 3];
            if (i >= 4) {
                const __m128i back4 = _mm_sha256msg1_epu32(now, w[(i + 1) & 3]);
                const __m128i back7 = _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4);
                now = _mm_sha256msg2_epu32(_mm_add_epi32(back4, back7), w[(i + 3) & 3]);
            }
            __m128i k = _mm_load_si128(reinterpret_cast<const __m128i *>(round_constant) + i);
            __m128i sum = _mm_add_epi32(now, k);
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
        }
        abef = _mm_add_epi32(abef, before_abef);
        cdgh = _mm_add_epi32(cdgh, before_cdgh);
    }
    low = _mm_shuffle_epi32(abef, 0x1b);
    high = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128(words, _mm_blend_epi16(low, high, 0xf0));
    _mm_storeu_si128(words + 1, _mm_alignr_epi8(high, low, 8));
}
#endif

} // namespace

bool Sha256::accelerated() {
#ifdef __x86_64__
    unsigned a, b, c, d;
    bool sse41 = __get_cpuid(1, &a, &b, &c, &d) && c & bit_SSE4_1;
    return sse41 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA;
#else
    return false;
#endif
}

Sha256::Sha256(bool portable)
    : compress_(compress_portable),
      state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19} {
#ifdef __x86_64__
    if (!portable && accelerated()) compress_ = compress_sha_ni;
#else
    (void)portable;
#endif
}

void Sha256::update(const void *data, size_t size) {
    auto *at = static_cast<const uint8_t *>(data);
    total_ += size;
    if (pending_size_ > 0) {
        size_t count = std::min(size, block - pending_size_);
        memcpy(pending_.data() + pending_size_, at, count);
        pending_size_ += count;
        at += count;
        size -= count;
        if (pending_size_ < block) return;
        compress_(state_.data(), pending_.data(), 1);
        pending_size_ = 0;
    }
    compress_(state_.data(), at, size / block);
    pending_size_ = size % block;
    if (pending_size_ > 0) memcpy(pending_.data(), at + (size - pending_size_), pending_size_);
}

std::string Sha256::finish() {
    const uint64_t bits = total_ * 8;
    std::array<uint8_t, 2 * block> end{0x80};
    size_t padding = (pending_size_ < 56 ? 56 : 120) - pending_size_;
    for (size_t i = 0; i < 8; i++) end[padding + i] = static_cast<uint8_t>(bits >> (56 - 8 * i));
    update(end.data(), padding + 8);
    std::string text = "sha256:";
    for (uint32_t word : state_)
        for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 15];
    return text;
}
