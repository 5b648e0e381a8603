#include "tar_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "failure.h"
#include "room.h"
#include "tar_header.h"

namespace {

// A gzip stream cannot shrink data more than 1032:1 (zlib, "Maximum Compression Factor"), and honest layers are far from it.
constexpr uint64_t ratio_limit = 1100, ratio_from = 1ull << 30;
constexpr uint64_t directory_bytes = 4096;

} // namespace

struct TarReader::Extension {
    std::optional<std::string> path, link;
    std::optional<uint64_t> size, uid, gid;
    std::optional<timespec> mtime;
    std::vector<std::pair<std::string, std::string>> xattrs;
    size_t xattr_bytes = 0;
    SparseRecords sparse;
    bool pax = false, any = false;
};

size_t TarReader::fill(uint8_t *data, size_t size) {
    size_t got = source_(data, size);
    bytes_ += got;
    charge_bytes(got);
    return got;
}

void TarReader::charge_bytes(uint64_t count) {
    if (count > limits_.max_bytes - charged_)
        bad_input("archive is larger than " + std::to_string(limits_.max_bytes) + " bytes when unpacked");
    charged_ += count;
    if (limits_.compressed && charged_ > ratio_from && charged_ / ratio_limit > *limits_.compressed)
        bad_input("decompresses to more than " + std::to_string(ratio_limit) + " times its size");
}

void TarReader::charge_entry() {
    if (++entries_ > limits_.max_entries) bad_input("more than " + std::to_string(limits_.max_entries) + " entries");
}

void TarReader::charge_directory() {
    charge_entry();
    charge_bytes(directory_bytes);
}

void TarReader::need(uint8_t *data, size_t size) {
    if (fill(data, size) != size) bad_input("archive is cut short");
}

size_t TarReader::read(uint8_t *data, size_t size) {
    size_t count = static_cast<size_t>(std::min<uint64_t>(size, content_left_));
    if (count == 0) return 0;
    need(data, count);
    content_left_ -= count;
    return count;
}

void TarReader::skip_content() {
    uint8_t buffer[16 << 10];
    while (read(buffer, sizeof buffer) > 0) {
    }
    // Some writers leave out the last one, with the end mark.
    if (padding_ > 0) fill(buffer, padding_);
    padding_ = 0;
}

std::string TarReader::extension_block(uint64_t size) {
    if (size > limits_.max_extension)
        bad_input("extended header of " + std::to_string(size) + " bytes: at most " +
                  std::to_string(limits_.max_extension) + " are read");
    content_left_ = size;
    padding_ = tar_padding(size);
    std::string block(static_cast<size_t>(size), '\0');
    read(reinterpret_cast<uint8_t *>(block.data()), block.size());
    skip_content();
    return block;
}

bool TarReader::next(TarEntry &entry) {
    Extension extension;
    uint8_t header[tar_block]{};
    for (;;) {
        skip_content();
        size_t got = fill(header, tar_block);
        if (got == 0 || tar_is_zero(header)) {
            // Some writers leave out the end mark; an end between entries is an end.
            if (extension.any || (got != 0 && got != tar_block)) bad_input("archive ends within an entry");
            // Readers differ in what a single zero block means: the end, or nothing. Entries behind it would be seen by some only.
            if (got != 0 && fill(header, tar_block) == tar_block && !tar_is_zero(header))
                bad_input("single block of zeros between entries");
            return false;
        }
        if (got != tar_block) bad_input("archive is cut short");
        tar_check(header);
        char type = static_cast<char>(header[tar_field::type.at]);
        uint64_t size = tar_number(header, tar_field::size, "size");
        if (type == 'x') {
            if (extension.pax) bad_input("two extended headers before one entry");
            extension.pax = true;
            parse_pax(extension_block(size), extension);
        } else if (type == 'g') {
            check_global(extension_block(size));
            continue;
        } else if (type == 'L' || type == 'K') {
            std::string name = extension_block(size);
            name.resize(std::min(name.find('\0'), name.size()));
            auto &target = type == 'L' ? extension.path : extension.link;
            if (target) bad_input("two long names before one entry");
            target = std::move(name);
        } else {
            make_entry(header, extension, entry);
            return true;
        }
        extension.any = true;
    }
}

// git writes a comment here. Defaults for all entries are ignored like containerd's; where they would move the cursor or a name,
// another reader would see another archive.
void TarReader::check_global(const std::string &block) {
    Extension global;
    parse_pax(block, global);
    if (global.path || global.link || global.size) bad_input("names or sizes in a global extended header");
}

// "<length> <key>=<value>\n", the length counting itself (POSIX pax, "Extended Header").
void TarReader::parse_pax(const std::string &block, Extension &extension) {
    for (size_t at = 0; at < block.size();) {
        size_t length = 0, digit = at;
        for (; digit < block.size() && block[digit] >= '0' && block[digit] <= '9' && length <= block.size(); digit++)
            length = length * 10 + static_cast<size_t>(block[digit] - '0');
        if (digit == at || digit >= block.size() || block[digit] != ' ' || length > block.size() - at ||
            length < digit - at + 3 || block[at + length - 1] != '\n')
            bad_input("damaged record in an extended header");
        std::string record = block.substr(digit + 1, at + length - 1 - (digit + 1));
        size_t equals = record.find('=');
        if (equals == 0 || equals == std::string::npos) bad_input("damaged record in an extended header");
        pax_record(record.substr(0, equals), record.substr(equals + 1), extension);
        at += length;
    }
}

void TarReader::pax_record(const std::string &key, std::string value, Extension &extension) {
    static const std::string xattr_prefix = "SCHILY.xattr.", sparse_prefix = "GNU.sparse.";
    // Whoever writes nothing means the header's field (POSIX pax: "the value … shall be ignored").
    if (value.empty() && !key.starts_with(xattr_prefix)) return;
    if (key == "path" || key == "linkpath") {
        auto &target = key == "path" ? extension.path : extension.link;
        if (target) bad_input("two long names before one entry");
        target = std::move(value);
    } else if (key == "size" && extension.size) {
        bad_input("two sizes before one entry");
    } else if (key == "size" || key == "uid" || key == "gid") {
        (key == "size" ? extension.size : key == "uid" ? extension.uid : extension.gid) = tar_decimal(value, key);
    } else if (key == "mtime") {
        extension.mtime = tar_time(value);
    } else if (key.starts_with(xattr_prefix)) {
        extension.xattr_bytes += key.size() + value.size();
        if (extension.xattr_bytes > limits_.max_xattrs)
            bad_input("more than " + std::to_string(limits_.max_xattrs) + " bytes of extended attributes on one entry");
        extension.xattrs.emplace_back(key.substr(xattr_prefix.size()), std::move(value));
    } else if (key.starts_with(sparse_prefix)) {
        extension.sparse.take(key.substr(sparse_prefix.size()), value);
    }
}

void TarReader::make_entry(const uint8_t *header, Extension &extension, TarEntry &entry) {
    charge_entry();
    entry = TarEntry{};
    // GNU writes a name of its own into "path", for readers that know nothing of holes.
    entry.path = extension.sparse.name ? *extension.sparse.name : extension.path ? *extension.path : tar_path(header);
    entry.link = extension.link ? *extension.link : tar_text(header, tar_field::link);
    entry.type = tar_type(header, entry.path);
    entry.mode = static_cast<uint32_t>(tar_number(header, tar_field::mode, "mode") & 07777);
    entry.uid = tar_id(extension.uid.value_or(tar_number(header, tar_field::uid, "uid")), "uid", entry.path);
    entry.gid = tar_id(extension.gid.value_or(tar_number(header, tar_field::gid, "gid")), "gid", entry.path);
    if (entry.type == TarType::character || entry.type == TarType::block) {
        entry.major = tar_device(tar_number(header, tar_field::major, "device number"), 0xfff, entry.path);
        entry.minor = tar_device(tar_number(header, tar_field::minor, "device number"), 0xfffff, entry.path);
    }
    entry.mtime = extension.mtime.value_or(tar_header_time(header));
    entry.xattrs = std::move(extension.xattrs);
    check_names(entry);
    if (entry.type == TarType::file) make_content(header, extension, entry);
}

// Only of files: what a directory or a link claims is ignored like Go's and GNU's readers do.
void TarReader::make_content(const uint8_t *header, const Extension &extension, TarEntry &entry) {
    uint64_t header_size = tar_number(header, tar_field::size, "size");
    // A writer that needs PAX for the size leaves the field at zero or repeats it; any third value is for misleading somebody.
    if (extension.size && header_size != 0 && header_size != *extension.size)
        bad_input("two different sizes: " + tar_quote(entry.path));
    NextBlock following = [this](uint8_t *block) { need(block, tar_block); };
    NextBlock content = [this](uint8_t *block) {
        if (read(block, tar_block) != tar_block) bad_input("archive is cut short");
    };
    bool gnu = tar_is_sparse(header);
    std::optional<std::vector<TarSpan>> spans;
    if (gnu) spans = sparse_gnu_spans(header, following);
    entry.size = content_left_ = extension.size.value_or(header_size);
    padding_ = tar_padding(entry.size);
    if (!gnu) spans = extension.sparse.spans(content);
    if (!spans) {
        if (entry.size > 0) entry.spans = {{0, entry.size}};
        return;
    }
    entry.has_holes = true;
    entry.size = gnu ? sparse_gnu_size(header) : extension.sparse.size.value_or(content_left_);
    entry.spans = std::move(*spans);
    sparse_check(entry.spans, entry.size, content_left_, entry.path);
    charge_bytes(entry.size - content_left_); // whoever copies the file gets all of it
}

void TarReader::check_names(const TarEntry &entry) {
    for (const std::string *name : {&entry.path, &entry.link}) {
        if (name->find('\0') != std::string::npos) bad_input("NUL in a name: " + tar_quote(*name));
        if (name->size() > limits_.max_path)
            bad_input("name longer than " + std::to_string(limits_.max_path) + " bytes: " + tar_quote(*name));
    }
    if (entry.path.empty()) bad_input("entry without a name");
    if (static_cast<size_t>(std::count(entry.path.begin(), entry.path.end(), '/')) > limits_.max_depth)
        bad_input("deeper than " + std::to_string(limits_.max_depth) + " directories: " + tar_quote(entry.path));
    bool is_link = entry.type == TarType::hard_link || entry.type == TarType::symlink;
    if (is_link && entry.link.empty()) bad_input("link without a target: " + tar_quote(entry.path));
}

void TarReader::drain() {
    skip_content();
    Room buffer(256 << 10);
    while (fill(buffer.data(), buffer.size()) > 0) {
    }
}
