// Bounds-checked look into a BSON document of the server: elements by name and their plain values. Building documents and
// anything that converts values for users may not live here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace barewire::net::mongo {

// One element; `value` points to its first value byte, `size` is the value's length in bytes.
struct Element {
    std::uint8_t type = 0;
    std::string_view name;
    const std::uint8_t* value = nullptr;
    std::size_t size = 0;

    explicit operator bool() const noexcept { return type != 0; }

    // Numbers and booleans of any width as an integer; `fallback` for other types.
    std::int64_t integer(std::int64_t fallback = 0) const noexcept;
    bool boolean(bool fallback = false) const noexcept;
    std::string_view text() const noexcept;  // empty for other types
};

namespace element_type {
inline constexpr std::uint8_t number = 0x01, string = 0x02, document = 0x03, array = 0x04, binary = 0x05, undefined = 0x06,
                              object_id = 0x07, boolean = 0x08, datetime = 0x09, null = 0x0a, regex = 0x0b, pointer = 0x0c,
                              code = 0x0d, symbol = 0x0e, scoped_code = 0x0f, int32 = 0x10, timestamp = 0x11, int64 = 0x12,
                              decimal = 0x13, min_key = 0xff, max_key = 0x7f;
}

// Walks the elements of one document. Foreign bytes: every length is checked before use; what is malformed ends the walk and
// sets `broken()`.
class DocumentView {
public:
    DocumentView() noexcept = default;
    // `size` bytes may be read; the document may be shorter than that, never longer.
    DocumentView(const std::uint8_t* data, std::size_t size) noexcept;
    explicit DocumentView(const Element& element) noexcept;  // of a document or array, else empty

    bool broken() const noexcept { return broken_; }
    const std::uint8_t* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

    // False at the end, or when the bytes make no sense.
    bool next(Element& element) noexcept;
    // The first element of this name in a fresh walk; false-like when there is none.
    Element find(std::string_view name) const noexcept;

private:
    const std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t position_ = 0;
    bool broken_ = false;
};

}  // namespace barewire::net::mongo
