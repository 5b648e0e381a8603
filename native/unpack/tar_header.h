// One 512-byte header block, field by field (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar for base-256 numbers).
#pragma once
#include <cstdint>
#include <ctime>
#include <string>

#include "tar_reader.h"

constexpr size_t tar_block = 512;

struct TarField {
    size_t at, size;
};

namespace tar_field {
constexpr TarField name{0, 100}, mode{100, 8}, uid{108, 8}, gid{116, 8}, size{124, 12}, mtime{136, 12},
    checksum{148, 8}, type{156, 1}, link{157, 100}, magic{257, 8}, major{329, 8}, minor{337, 8}, prefix{345, 155},
    star_prefix{345, 131}, star_trailer{508, 4};
}

bool tar_is_zero(const uint8_t *header);
void tar_check(
    const uint8_t
        *header); // throws unless the checksum is right, of bytes or, as some old writers had it, of signed ones
uint64_t tar_number(const uint8_t *header, TarField field, const char *what);
std::string tar_text(const uint8_t *header, TarField field);
std::string tar_path(const uint8_t *header);
bool tar_is_sparse(const uint8_t *header); // GNU's own form
TarType tar_type(const uint8_t *header, const std::string &path);

uint64_t tar_decimal(const std::string &text, const std::string &what);
timespec tar_header_time(const uint8_t *header);
timespec tar_time(const std::string &text);
uint32_t tar_id(uint64_t id, const char *what, const std::string &path);
uint32_t tar_device(uint64_t number, uint32_t max, const std::string &path);

// For messages: printable, of bounded length.
std::string tar_quote(const std::string &name);

inline uint32_t tar_padding(uint64_t size) { return static_cast<uint32_t>((tar_block - size % tar_block) % tar_block); }
