// Header, trailer and row framing of COPY BINARY.
#include "wire/pg/copy.h"

#include <cstring>

#include "wire/pg/writer.h"

namespace barewire::wire::pg {

namespace {

constexpr std::uint8_t signature[] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0};
constexpr std::uint32_t critical_flags = 0xffff0000;  // a reader must understand these; 1 << 16 (oids) is history

}  // namespace

bool append_copy_header(base::Buffer& out) noexcept {
    if (!out.reserve(copy_header_size)) return false;
    std::uint8_t* at = put_bytes(out.tail(), signature, sizeof signature);
    at = put(at, std::int32_t{0});
    put(at, std::int32_t{0});
    out.advance(copy_header_size);
    return true;
}

bool append_copy_trailer(base::Buffer& out) noexcept {
    if (!out.reserve(2)) return false;
    put(out.tail(), std::int16_t{-1});
    out.advance(2);
    return true;
}

CopyNext CopyReader::header() noexcept {
    Reader reader = reader_;
    const std::uint8_t *text = nullptr, *extension = nullptr;
    std::uint32_t flags = 0;
    std::int32_t extension_size = 0;
    const std::size_t given = reader.left() < sizeof signature ? reader.left() : sizeof signature;
    if (given != 0 && std::memcmp(reader.at(), signature, given) != 0) return CopyNext::broken;
    if (!reader.take_bytes(sizeof signature, text) || !reader.take(flags) || !reader.take(extension_size)) {
        return CopyNext::incomplete;
    }
    if ((flags & critical_flags) != 0 || extension_size < 0) return CopyNext::broken;
    if (!reader.take_bytes(static_cast<std::size_t>(extension_size), extension)) return CopyNext::incomplete;
    reader_ = reader;
    return CopyNext::row;
}

CopyNext CopyReader::next(std::size_t columns, std::vector<Field>& fields) {
    Reader reader = reader_;
    std::int16_t count = 0;
    if (!reader.take(count)) return CopyNext::incomplete;
    if (count == -1) {
        reader_ = reader;
        return CopyNext::end;
    }
    if (count < 0 || static_cast<std::size_t>(count) != columns) return CopyNext::broken;
    const std::size_t before = fields.size();
    for (std::size_t i = 0; i < columns; ++i) {
        Field field;
        Reader length_reader = reader;
        std::int32_t length = 0;
        const bool length_there = length_reader.take(length);
        if (length_there && length < -1) {
            fields.resize(before);
            return CopyNext::broken;
        }
        if (!length_there || !reader.take_field(field)) {
            fields.resize(before);
            return CopyNext::incomplete;
        }
        fields.push_back(field);
    }
    reader_ = reader;
    return CopyNext::row;
}

}  // namespace barewire::wire::pg
