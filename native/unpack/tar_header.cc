#include "tar_header.h"

#include <algorithm>
#include <cstring>

#include "failure.h"

bool tar_is_zero(const uint8_t *header) {
    return std::all_of(header, header + tar_block, [](uint8_t byte) { return byte == 0; });
}

void tar_check(const uint8_t *header) {
    int64_t sum = 0, signed_sum = 0;
    for (size_t i = 0; i < tar_block; i++) {
        bool in_checksum = i >= tar_field::checksum.at && i < tar_field::checksum.at + tar_field::checksum.size;
        sum += in_checksum ? ' ' : header[i];
        signed_sum += in_checksum ? ' ' : static_cast<int8_t>(header[i]);
    }
    auto wanted = static_cast<int64_t>(
        tar_number(header, tar_field::checksum, "checksum of a header; this is not a tar archive"));
    if (sum != wanted && signed_sum != wanted) bad_input("not a tar archive: the checksum of a header is wrong");
}

// Octal digits, spaces and NULs around them; or base-256, big-endian, with the highest bit of the first byte set.
uint64_t tar_number(const uint8_t *header, TarField field, const char *what) {
    const uint8_t *at = header + field.at, *end = at + field.size;
    if (*at & 0x80) {
        if (*at & 0x40) bad_input(std::string("negative number: ") + what); // CVE-2026-59874
        uint64_t value = *at++ & 0x3f;
        for (; at < end; at++) {
            if (value >> 55) bad_input(std::string("number out of range: ") + what);
            value = value << 8 | *at;
        }
        return value;
    }
    uint64_t value = 0;
    while (at < end && (*at == ' ' || *at == 0)) at++;
    for (; at < end && *at >= '0' && *at <= '7'; at++) value = value << 3 | static_cast<uint64_t>(*at - '0');
    if (at < end && *at != ' ' && *at != 0) bad_input(std::string("not an octal number: ") + what);
    return value;
}

std::string tar_text(const uint8_t *header, TarField field) {
    const char *at = reinterpret_cast<const char *>(header + field.at);
    return std::string(at, strnlen(at, field.size));
}

std::string tar_path(const uint8_t *header) {
    std::string name = tar_text(header, tar_field::name);
    // Only POSIX headers have a prefix; GNU's ("ustar  ") keep other things there, and star's have times behind a shorter one.
    if (memcmp(header + tar_field::magic.at, "ustar", 6) != 0) return name;
    bool star = memcmp(header + tar_field::star_trailer.at, "tar", tar_field::star_trailer.size) == 0;
    std::string prefix = tar_text(header, star ? tar_field::star_prefix : tar_field::prefix);
    return prefix.empty() ? name : prefix + "/" + name;
}

bool tar_is_sparse(const uint8_t *header) { return header[tar_field::type.at] == 'S'; }

TarType tar_type(const uint8_t *header, const std::string &path) {
    switch (header[tar_field::type.at]) {
    case 0:
    case '0':
    case '7':
        return path.ends_with('/') ? TarType::directory : TarType::file; // pre-POSIX tar marks directories so
    case '1':
        return TarType::hard_link;
    case '2':
        return TarType::symlink;
    case '3':
        return TarType::character;
    case '4':
        return TarType::block;
    case '5':
        return TarType::directory;
    case '6':
        return TarType::fifo;
    case 'S':
        if (memcmp(header + tar_field::magic.at, "ustar  ", tar_field::magic.size) == 0) return TarType::file;
        [[fallthrough]];
    default:
        bad_input("entry of unknown type: " + tar_quote(path));
    }
}

static time_t checked_seconds(uint64_t seconds) {
    if (seconds >= 1ull << 62) bad_input("number out of range: mtime");
    return static_cast<time_t>(seconds);
}

uint64_t tar_decimal(const std::string &text, const std::string &what) {
    uint64_t value = 0;
    bool valid = !text.empty() && text.size() <= 19;
    for (char c : text) {
        valid = valid && c >= '0' && c <= '9';
        value = value * 10 + static_cast<uint64_t>(c - '0');
    }
    if (!valid) bad_input("not a number in an extended header: " + what);
    return value;
}

// The one field where base-256 may be negative: GNU tar writes so what was changed before 1970.
timespec tar_header_time(const uint8_t *header) {
    const uint8_t *at = header + tar_field::mtime.at;
    if (*at != 0xff) return {checked_seconds(tar_number(header, tar_field::mtime, "mtime")), 0};
    uint64_t distance = 0; // one's complement: no overflow to think of
    for (size_t i = 1; i < tar_field::mtime.size; i++) {
        if (distance >> 55) bad_input("number out of range: mtime");
        distance = distance << 8 | static_cast<uint8_t>(~at[i]);
    }
    return {-checked_seconds(distance) - 1, 0};
}

// Seconds with an optional sign and fraction.
timespec tar_time(const std::string &text) {
    bool negative = text.starts_with('-');
    std::string body = negative ? text.substr(1) : text;
    size_t dot = body.find('.');
    std::string fraction = dot == std::string::npos ? "" : body.substr(dot + 1, 9);
    time_t seconds = checked_seconds(tar_decimal(body.substr(0, dot), "mtime"));
    long nanoseconds = 0;
    if (!fraction.empty()) {
        fraction.resize(9, '0');
        nanoseconds = static_cast<long>(tar_decimal(fraction, "mtime"));
    }
    if (negative && nanoseconds > 0) return {-seconds - 1, 1'000'000'000 - nanoseconds};
    return {negative ? -seconds : seconds, nanoseconds};
}

// 2^32-1 means "leave it" to chown(2), and a larger one would wrap around to somebody else (CVE-2024-40635 is this in a user).
uint32_t tar_id(uint64_t id, const char *what, const std::string &path) {
    if (id > 0xfffffffe) bad_input(std::string(what) + " out of range: " + tar_quote(path));
    return static_cast<uint32_t>(id);
}

uint32_t tar_device(uint64_t number, uint32_t max, const std::string &path) {
    if (number > max) bad_input("device number out of range: " + tar_quote(path));
    return static_cast<uint32_t>(number);
}

std::string tar_quote(const std::string &name) {
    static constexpr size_t longest = 200;
    std::string text = "\"";
    for (char each : name.substr(0, longest)) {
        auto c = static_cast<unsigned char>(each);
        bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        if (plain) {
            text += each;
        } else {
            text += "\\x";
            text += "0123456789abcdef"[c >> 4];
            text += "0123456789abcdef"[c & 15];
        }
    }
    return text + (name.size() > longest ? "…\"" : "\"");
}
