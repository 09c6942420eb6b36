// Element sizes, iteration and look-up for wire/bson/reader.h (bsonspec.org, version 1.1).
#include "wire/bson/reader.h"

#include <cmath>
#include <cstring>

namespace barewire::wire::bson {

using base::load_little;
using base::Status;

namespace {

constexpr std::size_t smallest_document = empty_document_size;

// Length of a NUL-terminated text including its NUL; 0 if there is no NUL in `size` bytes.
std::size_t terminated_size(const std::uint8_t* at, std::size_t size) noexcept {
    if (size == 0) return 0;
    const void* nul = std::memchr(at, 0, size);
    return nul == nullptr ? 0 : static_cast<std::size_t>(static_cast<const std::uint8_t*>(nul) - at) + 1;
}

// Length-prefixed text with its NUL, prefix included; 0 if it does not fit.
std::size_t text_size(const std::uint8_t* at, std::size_t size) noexcept {
    if (size < 5) return 0;
    const std::size_t length = load_little<std::uint32_t>(at);
    if (length == 0 || length > size - 4 || at[4 + length - 1] != 0) return 0;
    return 4 + length;
}

// A document whose prefix and terminator hold; 0 otherwise.
std::size_t framed_size(const std::uint8_t* at, std::size_t size) noexcept {
    if (size < smallest_document) return 0;
    const std::size_t length = load_little<std::uint32_t>(at);
    if (length < smallest_document || length > size || at[length - 1] != 0) return 0;
    return length;
}

std::size_t binary_size(const std::uint8_t* at, std::size_t size) noexcept {
    if (size < 5) return 0;
    const std::size_t length = load_little<std::uint32_t>(at);
    if (length > size - 5) return 0;
    if (at[4] == 2 && (length < 4 || load_little<std::uint32_t>(at + 5) != length - 4)) return 0;
    return 5 + length;
}

std::size_t regex_size(const std::uint8_t* at, std::size_t size) noexcept {
    const std::size_t pattern = terminated_size(at, size);
    if (pattern == 0) return 0;
    const std::size_t flags = terminated_size(at + pattern, size - pattern);
    return flags == 0 ? 0 : pattern + flags;
}

std::size_t pointer_size(const std::uint8_t* at, std::size_t size) noexcept {
    const std::size_t text = text_size(at, size);
    return text == 0 || size - text < 12 ? 0 : text + 12;
}

std::size_t code_with_scope_size(const std::uint8_t* at, std::size_t size) noexcept {
    if (size < 4 + 5 + smallest_document) return 0;
    const std::size_t whole = load_little<std::uint32_t>(at);
    if (whole < 4 + 5 + smallest_document || whole > size) return 0;
    const std::size_t code = text_size(at + 4, whole - 4);
    if (code == 0) return 0;
    const std::size_t scope = framed_size(at + 4 + code, whole - 4 - code);
    return scope != 0 && 4 + code + scope == whole ? whole : 0;
}

}  // namespace

Status measure_value(Type type, std::span<const std::uint8_t> bytes, std::size_t& size) noexcept {
    const std::uint8_t* at = bytes.data();
    const std::size_t left = bytes.size();
    auto fixed = [&](std::size_t count) {
        size = count <= left ? count : 0;
        return count <= left ? Status::ok() : Status::error("value is cut off");
    };
    auto variable = [&](std::size_t count) {
        size = count;
        return count != 0 ? Status::ok() : Status::error("invalid length of a value");
    };
    size = 0;
    switch (type) {
        case Type::end: break;
        case Type::undefined:
        case Type::null:
        case Type::min_key:
        case Type::max_key: return Status::ok();
        case Type::boolean: return fixed(1);
        case Type::int32: return fixed(4);
        case Type::float64:
        case Type::datetime:
        case Type::timestamp:
        case Type::int64: return fixed(8);
        case Type::object_id: return fixed(12);
        case Type::decimal128: return fixed(16);
        case Type::string:
        case Type::code:
        case Type::symbol: return variable(text_size(at, left));
        case Type::document:
        case Type::array: return variable(framed_size(at, left));
        case Type::binary: return variable(binary_size(at, left));
        case Type::regex: return variable(regex_size(at, left));
        case Type::db_pointer: return variable(pointer_size(at, left));
        case Type::code_with_scope: return variable(code_with_scope_size(at, left));
    }
    return Status::error("unknown element type");
}

Reader::Reader(DocumentBytes bytes) noexcept : bytes_(bytes) {
    if (bytes.size() < smallest_document) {
        status_ = Status::error("not enough data for a BSON document");
    } else if (load_little<std::uint32_t>(bytes.data()) != bytes.size()) {
        status_ = Status::error("document length differs from its prefix");
    } else if (bytes.back() != 0) {
        status_ = Status::error("document is not terminated", bytes.size() - 1);
    }
}

bool Reader::next(Element& element) noexcept {
    if (!status_) return false;
    const std::size_t end = bytes_.size() - 1;
    if (at_ == end) return false;
    const std::uint8_t* key = bytes_.data() + at_ + 1;
    const std::size_t key_size = terminated_size(key, end - at_ - 1);
    if (key_size == 0) {
        status_ = Status::error("field name is not terminated", at_);
        return false;
    }
    const std::size_t value_at = at_ + 1 + key_size;
    const auto type = static_cast<Type>(bytes_[at_]);
    std::size_t size = 0;
    status_ = measure_value(type, bytes_.subspan(value_at, end - value_at), size);
    if (!status_) {
        status_.offset = at_;
        return false;
    }
    element.type = type;
    element.key = {reinterpret_cast<const char*>(key), key_size - 1};
    element.value = bytes_.subspan(value_at, size);
    at_ = value_at + size;
    return true;
}

bool Element::truth() const noexcept {
    if (type == Type::boolean) return value[0] != 0;
    auto real = number();
    return real.has_value() && *real != 0;
}

std::optional<std::int64_t> Element::integer() const noexcept {
    switch (type) {
        case Type::int32: return load_little<std::int32_t>(value.data());
        case Type::int64:
        case Type::datetime: return load_little<std::int64_t>(value.data());
        case Type::float64: {
            const double real = base::load_little_double(value.data());
            // The bounds are exact doubles; NaN fails both comparisons.
            if (!(real >= -0x1p63 && real < 0x1p63)) return std::nullopt;
            return static_cast<std::int64_t>(real);
        }
        default: return std::nullopt;
    }
}

std::optional<double> Element::number() const noexcept {
    switch (type) {
        case Type::float64: return base::load_little_double(value.data());
        case Type::int32: return load_little<std::int32_t>(value.data());
        case Type::int64: return static_cast<double>(load_little<std::int64_t>(value.data()));
        default: return std::nullopt;
    }
}

std::optional<std::string_view> Element::text() const noexcept {
    if (type != Type::string && type != Type::symbol && type != Type::code) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(value.data()) + 4, value.size() - 5);
}

std::optional<DocumentBytes> Element::document() const noexcept {
    if (type != Type::document && type != Type::array) return std::nullopt;
    return value;
}

std::optional<Element> find(DocumentBytes document, std::string_view key) noexcept {
    Reader reader(document);
    for (Element element; reader.next(element);) {
        if (element.key == key) return element;
    }
    return std::nullopt;
}

std::optional<Element> find(DocumentBytes document, std::initializer_list<std::string_view> path) noexcept {
    std::optional<Element> found;
    for (std::string_view key : path) {
        if (found) {
            auto inner = found->document();
            if (!inner) return std::nullopt;
            document = *inner;
        }
        found = find(document, key);
        if (!found) return std::nullopt;
    }
    return found;
}

Status document_size(std::span<const std::uint8_t> bytes, std::size_t& size) noexcept {
    if (bytes.size() < 4) return Status::error("not enough data for a BSON document");
    const auto length = load_little<std::int32_t>(bytes.data());
    if (length < static_cast<std::int32_t>(smallest_document)) return Status::error("invalid message size");
    size = static_cast<std::size_t>(length);
    return Status::ok();
}

Status validate(DocumentBytes document, int depth) noexcept {
    if (depth <= 0) return Status::error("document is nested too deeply");
    Reader reader(document);
    for (Element element; reader.next(element);) {
        Status inner = Status::ok();
        if (element.is(Type::document) || element.is(Type::array)) {
            inner = validate(element.value, depth - 1);
        } else if (element.is(Type::boolean) && element.value[0] > 1) {
            inner = Status::error("invalid boolean value");
        } else if (element.is(Type::code_with_scope)) {
            const std::size_t code = 4 + load_little<std::uint32_t>(element.value.data() + 4);
            inner = validate(element.value.subspan(4 + code), depth - 1);
        }
        if (!inner) return Status::error(inner.message, reader.offset());
    }
    return reader.status();
}

}  // namespace barewire::wire::bson
