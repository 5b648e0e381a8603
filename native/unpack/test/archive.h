// Tar archives written byte by byte, the bad ones like the good ones.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "../tar_header.h"

struct Header {
    std::string name = "file";
    char type = '0';
    uint64_t size = 0;
    std::string link = "";
    // Written over the finished header, before its checksum.
    TarField at{0, 0};
    std::string raw = "";
};

inline std::string header(const Header &h) {
    std::string block(tar_block, '\0');
    auto put = [&](TarField field, const std::string &text) { text.copy(&block[field.at], field.size); };
    auto octal = [&](TarField field, uint64_t number) {
        char text[24];
        snprintf(text, sizeof text, "%0*llo", static_cast<int>(field.size - 1),
                 static_cast<unsigned long long>(number));
        put(field, text);
    };
    put(tar_field::name, h.name);
    octal(tar_field::mode, 0644);
    octal(tar_field::uid, 0);
    octal(tar_field::gid, 0);
    octal(tar_field::size, h.size);
    octal(tar_field::mtime, 1);
    put(tar_field::type, std::string(1, h.type));
    put(tar_field::link, h.link);
    put(tar_field::magic, std::string("ustar\00000", 8));
    put(h.at, h.raw);
    uint64_t sum = 8 * ' ';
    for (size_t i = 0; i < tar_block; i++)
        if (i < tar_field::checksum.at || i >= tar_field::checksum.at + tar_field::checksum.size)
            sum += static_cast<uint8_t>(block[i]);
    octal(tar_field::checksum, sum);
    return block;
}

inline std::string padded(std::string content) {
    content.resize((content.size() + tar_block - 1) / tar_block * tar_block, '\0');
    return content;
}

inline std::string entry(Header h, const std::string &content) {
    h.size = content.size();
    return header(h) + padded(content);
}

inline std::string record(const std::string &key, const std::string &value) {
    std::string rest = " " + key + "=" + value + "\n";
    size_t length = rest.size() + 1;
    while (std::to_string(length).size() + rest.size() != length) length++;
    return std::to_string(length) + rest;
}

inline std::string pax(const std::string &records) { return entry({.name = "pax", .type = 'x'}, records); }

inline std::string end_mark() { return std::string(2 * tar_block, '\0'); }
