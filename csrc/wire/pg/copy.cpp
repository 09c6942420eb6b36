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
    const std::uint8_t* at = reader_.at();
    const std::uint8_t* const end = at + reader_.left();
    const auto left = [&] { return static_cast<std::size_t>(end - at); };
    if (left() < 2) return CopyNext::incomplete;
    const auto count = base::load_big<std::int16_t>(at);
    at += 2;
    if (count == -1) {
        reader_ = Reader(at, left());
        return CopyNext::end;
    }
    if (count < 0 || static_cast<std::size_t>(count) != columns) return CopyNext::broken;
    const std::size_t before = fields.size();
    fields.resize(before + columns);
    CopyNext outcome = CopyNext::row;
    for (Field* field = fields.data() + before; field != fields.data() + before + columns; ++field) {
        if (left() < 4) {
            outcome = CopyNext::incomplete;
            break;
        }
        const auto length = base::load_big<std::int32_t>(at);
        at += 4;
        if (length < 0) {
            if (length == -1) continue;
            outcome = CopyNext::broken;
            break;
        }
        if (left() < static_cast<std::size_t>(length)) {
            outcome = CopyNext::incomplete;
            break;
        }
        *field = {at, static_cast<std::size_t>(length)};
        at += length;
    }
    if (outcome == CopyNext::row) {
        reader_ = Reader(at, left());
    } else {
        fields.resize(before);
    }
    return outcome;
}

}  // namespace barewire::wire::pg
