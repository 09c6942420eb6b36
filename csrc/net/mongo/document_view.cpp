// Walking of BSON elements with checked lengths. Nothing that allocates may live here.
#include "net/mongo/document_view.h"

#include <cmath>
#include <cstring>

namespace barewire::net::mongo {

namespace {

constexpr std::size_t malformed = static_cast<std::size_t>(-1);

// Length of a value of `type` at `value`, of which `left` bytes may be read; `malformed` when it does not fit.
std::size_t value_size(std::uint8_t type, const std::uint8_t* value, std::size_t left) noexcept {
    auto length = [&](std::size_t extra, std::int32_t least) -> std::size_t {
        if (left < 4) return malformed;
        const auto stated = base::load_little<std::int32_t>(value);
        if (stated < least) return malformed;
        const std::size_t size = static_cast<std::size_t>(stated) + extra;
        return size <= left ? size : malformed;
    };
    std::size_t size = malformed;
    switch (type) {
        case element_type::undefined:
        case element_type::null:
        case element_type::min_key:
        case element_type::max_key: size = 0; break;
        case element_type::boolean: size = 1; break;
        case element_type::int32: size = 4; break;
        case element_type::number:
        case element_type::datetime:
        case element_type::timestamp:
        case element_type::int64: size = 8; break;
        case element_type::object_id: size = 12; break;
        case element_type::decimal: size = 16; break;
        case element_type::string:
        case element_type::code:
        case element_type::symbol:
            size = length(4, 1);
            if (size != malformed && value[size - 1] != 0) return malformed;
            break;
        case element_type::document:
        case element_type::array: size = length(0, 5); break;
        case element_type::scoped_code: size = length(0, 14); break;
        case element_type::binary: size = length(5, 0); break;
        case element_type::pointer: size = length(16, 1); break;
        case element_type::regex: {
            const void* first = std::memchr(value, 0, left);
            if (!first) return malformed;
            const std::size_t pattern = static_cast<const std::uint8_t*>(first) - value + 1;
            const void* second = std::memchr(value + pattern, 0, left - pattern);
            if (!second) return malformed;
            size = static_cast<const std::uint8_t*>(second) - value + 1;
            break;
        }
        default: return malformed;
    }
    return size <= left ? size : malformed;
}

}  // namespace

std::int64_t Element::integer(std::int64_t fallback) const noexcept {
    switch (type) {
        case element_type::int32: return base::load_little<std::int32_t>(value);
        case element_type::int64:
        case element_type::datetime: return base::load_little<std::int64_t>(value);
        case element_type::boolean: return *value != 0;
        case element_type::number: {
            const double number = base::load_little_double(value);
            if (!(number > -9.2e18 && number < 9.2e18)) return fallback;
            return static_cast<std::int64_t>(number);
        }
        default: return fallback;
    }
}

bool Element::boolean(bool fallback) const noexcept {
    if (type == element_type::number) {
        const double number = base::load_little_double(value);
        return number != 0 && !std::isnan(number);
    }
    return integer(fallback) != 0;
}

std::string_view Element::text() const noexcept {
    if (type != element_type::string) return {};
    return {reinterpret_cast<const char*>(value) + 4, size - 5};
}

DocumentView::DocumentView(const std::uint8_t* data, std::size_t size) noexcept {
    if (size < 5) {
        broken_ = true;
        return;
    }
    const auto stated = base::load_little<std::int32_t>(data);
    if (stated < 5 || static_cast<std::size_t>(stated) > size || data[stated - 1] != 0) {
        broken_ = true;
        return;
    }
    data_ = data;
    size_ = static_cast<std::size_t>(stated);
    position_ = 4;
}

DocumentView::DocumentView(const Element& element) noexcept {
    if (element.type == element_type::document || element.type == element_type::array)
        *this = DocumentView(element.value, element.size);
}

bool DocumentView::next(Element& element) noexcept {
    element = {};
    if (broken_ || position_ + 1 >= size_) return false;
    const std::size_t end = size_ - 1;  // the terminator
    const std::uint8_t type = data_[position_];
    const std::uint8_t* name = data_ + position_ + 1;
    const void* stop = std::memchr(name, 0, end - position_ - 1);
    if (!stop) {
        broken_ = true;
        return false;
    }
    const std::size_t name_size = static_cast<std::size_t>(static_cast<const std::uint8_t*>(stop) - name);
    const std::uint8_t* value = name + name_size + 1;
    const std::size_t size = value_size(type, value, end - static_cast<std::size_t>(value - data_));
    if (size == malformed) {
        broken_ = true;
        return false;
    }
    element.type = type;
    element.name = {reinterpret_cast<const char*>(name), name_size};
    element.value = value;
    element.size = size;
    position_ = static_cast<std::size_t>(value - data_) + size;
    return true;
}

Element DocumentView::find(std::string_view name) const noexcept {
    DocumentView walk = *this;
    walk.position_ = 4;
    Element element;
    while (walk.next(element))
        if (element.name == name) return element;
    return {};
}

}  // namespace barewire::net::mongo
