// Reads BSON documents in place with every length checked; knows nothing of Python and allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "wire/bson/types.h"

namespace barewire::wire::bson {

// Bytes of a whole document or array: length prefix, elements, terminator.
using DocumentBytes = std::span<const std::uint8_t>;

// One element; `key` and `value` point into the document that was read. `value` holds exactly the bytes of the value
// (for a string: length prefix, text, NUL; for a document: all of it) and they fit its type.
struct Element {
    Type type{};
    std::string_view key;
    std::span<const std::uint8_t> value;

    bool is(Type wanted) const noexcept { return type == wanted; }
    // Any number or boolean as a truth value (`ok: 1`, `ok: 1.0`, `ok: true`); false for other types.
    bool truth() const noexcept;
    // Numbers of all widths, doubles truncated; nothing for other types or out of range.
    std::optional<std::int64_t> integer() const noexcept;
    std::optional<double> number() const noexcept;
    // Text of string, symbol and code.
    std::optional<std::string_view> text() const noexcept;
    // Bytes of a document or an array.
    std::optional<DocumentBytes> document() const noexcept;
};

// Bytes that a value of `type` takes at the start of `bytes`; 0 with an error if it does not fit or is malformed
// (types without a value take 0 bytes without an error). Inner documents: only prefix and terminator are checked.
base::Status measure_value(Type type, std::span<const std::uint8_t> bytes, std::size_t& size) noexcept;

// Iterates the elements of one document:
//     Reader reader(bytes);
//     for (Element element; reader.next(element);) ...
//     if (!reader.status()) ... malformed
class Reader {
public:
    // The prefix must say exactly bytes.size() and the last byte must be 0, else the status is an error and nothing is read.
    explicit Reader(DocumentBytes bytes) noexcept;

    bool next(Element& element) noexcept;
    base::Status status() const noexcept { return status_; }
    std::size_t offset() const noexcept { return at_; }

private:
    DocumentBytes bytes_;
    std::size_t at_ = 4;
    base::Status status_;
};

// The first element called `key`; nothing if there is none before the end or before malformed bytes.
std::optional<Element> find(DocumentBytes document, std::string_view key) noexcept;
// The same through inner documents and arrays: find(reply, {"cursor", "id"}).
std::optional<Element> find(DocumentBytes document, std::initializer_list<std::string_view> path) noexcept;

// Length prefix of a document that begins at `bytes`; an error if less than 4 bytes are there or the length cannot be.
base::Status document_size(std::span<const std::uint8_t> bytes, std::size_t& size) noexcept;

// Checks a document and everything inside it down to `depth` levels, booleans and binary subtype 2 included; text is not
// checked for UTF-8.
base::Status validate(DocumentBytes document, int depth = 200) noexcept;

}  // namespace barewire::wire::bson
