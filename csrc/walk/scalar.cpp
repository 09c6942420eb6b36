// Reading of ObjectId, Decimal128, UUID, datetime and the like from their slots and fields; no user code runs here.
#include "walk/scalar.h"

#include <climits>
#include <cstring>

#include "base/civil.h"
#include "py/compat.h"
#include "py/internals/clock.h"
#include "py/internals/integer.h"
#include "py/internals/text.h"
#include "wire/bson/writer.h"

namespace barewire::walk {

namespace bson = wire::bson;
using bson::Type;

bool check_text_size(Encoder& encoder, Py_ssize_t size, Py_ssize_t limit) {
    if (BAREWIRE_LIKELY(size <= limit)) return true;
    PyErr_SetString(encoder.kinds.invalid_string_data.get(), "String length must be <= 2147483647");
    return false;
}

bool write_text(Encoder& encoder, PyObject* text) {
    py::Utf8 utf8 = py::utf8(text);
    if (utf8.data == nullptr || !check_text_size(encoder, utf8.size, INT_MAX - 1)) return false;
    auto size = static_cast<std::size_t>(utf8.size);
    if (!encoder.reserve(size + 5)) return false;
    bson::put_text(encoder.tail(), utf8.data, size);
    encoder.advance(size + 5);
    return true;
}

bool write_binary(Encoder& encoder, std::size_t type_at, const char* data, Py_ssize_t size, int subtype) {
    const bool repeats_length = subtype == static_cast<int>(bson::Subtype::old_binary);
    if (!check_text_size(encoder, size, repeats_length ? INT_MAX - 4 : INT_MAX)) return false;
    auto count = static_cast<std::size_t>(size);
    if (!encoder.reserve(count + 9)) return false;
    std::uint8_t* at = encoder.tail();
    at = bson::put(at, static_cast<std::int32_t>(size + (repeats_length ? 4 : 0)));
    *at++ = static_cast<std::uint8_t>(subtype);
    if (repeats_length) at = bson::put(at, static_cast<std::int32_t>(size));
    bson::copy_bytes(at, data, count);
    encoder.advance(count + (repeats_length ? 9 : 5));
    encoder.set_type(type_at, Type::binary);
    return true;
}

bool write_bytes(Encoder& encoder, std::size_t type_at, PyObject* bytes) {
    return write_binary(encoder, type_at, PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes), 0);
}

bool write_datetime(Encoder& encoder, std::size_t type_at, long long milliseconds) {
    if (!encoder.reserve(8)) return false;
    bson::put(encoder.tail(), static_cast<std::int64_t>(milliseconds));
    encoder.advance(8);
    encoder.set_type(type_at, Type::datetime);
    return true;
}

namespace {

long long datetime_seconds(const py::DatetimeFields& at) noexcept {
    long long days = base::days_from_civil(at.year, static_cast<unsigned>(at.month), static_cast<unsigned>(at.day));
    return ((days * 24 + at.hour) * 60 + at.minute) * 60 + at.second;
}

Outcome from_bool(bool written) noexcept { return written ? Outcome::done : Outcome::failed; }

Outcome fixed(Encoder& encoder, std::size_t type_at, Type type, const void* data, std::size_t size) {
    if (!encoder.reserve(bson::max_scalar_size)) return Outcome::failed;
    std::memcpy(encoder.tail(), data, size);
    encoder.advance(size);
    encoder.set_type(type_at, type);
    return Outcome::done;
}

Outcome object_id(Encoder& encoder, std::size_t type_at, PyObject* value) {
    if (BAREWIRE_UNLIKELY(encoder.kinds.object_id_value < 0)) return Outcome::other;
    PyObject* bytes = read_slot(value, encoder.kinds.object_id_value);
    if (BAREWIRE_UNLIKELY(bytes == nullptr || !PyBytes_CheckExact(bytes) || PyBytes_GET_SIZE(bytes) != 12)) {
        return Outcome::other;
    }
    return fixed(encoder, type_at, Type::object_id, PyBytes_AS_STRING(bytes), 12);
}

// An int slot as 64 unsigned bits; false (no error set) when it is anything else.
bool slot_unsigned(PyObject* object, SlotOffset offset, std::uint64_t& out) {
    if (offset < 0) return false;
    PyObject* number = read_slot(object, offset);
    if (number == nullptr || !PyLong_CheckExact(number)) return false;
    std::int64_t small = 0;
    if (py::int64_value(number, small)) {
        out = static_cast<std::uint64_t>(small);
        return small >= 0;
    }
    out = PyLong_AsUnsignedLongLong(number);
    if (out == ~std::uint64_t{0} && PyErr_Occurred()) {
        PyErr_Clear();
        return false;
    }
    return true;
}

Outcome decimal128(Encoder& encoder, std::size_t type_at, PyObject* value) {
    std::uint64_t high = 0, low = 0;
    if (!slot_unsigned(value, encoder.kinds.decimal128_high, high)) return Outcome::other;
    if (!slot_unsigned(value, encoder.kinds.decimal128_low, low)) return Outcome::other;
    std::uint8_t bytes[16];
    base::store_little(bytes, low);
    base::store_little(bytes + 8, high);
    return fixed(encoder, type_at, Type::decimal128, bytes, 16);
}

Outcome timestamp(Encoder& encoder, std::size_t type_at, PyObject* value) {
    std::uint64_t time = 0, inc = 0;
    if (!slot_unsigned(value, encoder.kinds.timestamp_time, time)) return Outcome::other;
    if (!slot_unsigned(value, encoder.kinds.timestamp_inc, inc)) return Outcome::other;
    std::uint8_t bytes[8];
    base::store_little(bytes, static_cast<std::uint32_t>(inc));
    base::store_little(bytes + 4, static_cast<std::uint32_t>(time));
    return fixed(encoder, type_at, Type::timestamp, bytes, 8);
}

Outcome datetime(Encoder& encoder, std::size_t type_at, PyObject* value) {
    PyObject* zone = py::datetime_tzinfo(value);
    if (zone != nullptr && zone != py::timezone_utc() && zone != encoder.kinds.bson_utc.get()) return Outcome::other;
    return from_bool(write_datetime(encoder, type_at, datetime_milliseconds(value)));
}

Outcome datetime_ms(Encoder& encoder, std::size_t type_at, PyObject* value) {
    if (encoder.kinds.datetime_ms_value < 0) return Outcome::other;
    PyObject* number = read_slot(value, encoder.kinds.datetime_ms_value);
    std::int64_t milliseconds = 0;
    if (number == nullptr || !PyLong_CheckExact(number) || !py::int64_value(number, milliseconds)) return Outcome::other;
    return from_bool(write_datetime(encoder, type_at, milliseconds));
}

Outcome int64(Encoder& encoder, std::size_t type_at, PyObject* value) {
    std::int64_t number = 0;
    if (!py::int64_value(value, number)) return Outcome::other;
    std::uint8_t bytes[8];
    base::store_little(bytes, number);
    return fixed(encoder, type_at, Type::int64, bytes, 8);
}

Outcome uuid(Encoder& encoder, std::size_t type_at, PyObject* value) {
    if (encoder.kinds.uuid_int < 0) return Outcome::other;
    PyObject* number = read_slot(value, encoder.kinds.uuid_int);
    if (number == nullptr || !PyLong_CheckExact(number)) return Outcome::other;
    std::uint8_t big[16], bytes[16];
    if (!py::long_to_16_bytes_big(number, big)) {
        PyErr_Clear();
        return Outcome::other;
    }
    auto subtype = bson::Subtype::old_uuid;
    auto reversed = [&](int from, int to) {
        for (int i = from; i < to; ++i) bytes[i] = big[from + to - 1 - i];
    };
    std::memcpy(bytes, big, 16);
    switch (encoder.options.uuid_representation) {
        case UuidRepresentation::standard: subtype = bson::Subtype::uuid; break;
        case UuidRepresentation::python_legacy: break;
        case UuidRepresentation::java_legacy:
            reversed(0, 8);
            reversed(8, 16);
            break;
        case UuidRepresentation::csharp_legacy:
            reversed(0, 4);
            reversed(4, 6);
            reversed(6, 8);
            break;
        default: return Outcome::other;  // Binary.from_uuid words the error
    }
    return from_bool(write_binary(encoder, type_at, reinterpret_cast<char*>(bytes), 16, static_cast<int>(subtype)));
}

Outcome regex(Encoder& encoder, std::size_t type_at, PyObject* value) {
    if (encoder.kinds.regex_pattern < 0 || encoder.kinds.regex_flags < 0) return Outcome::other;
    PyObject* pattern = read_slot(value, encoder.kinds.regex_pattern);
    PyObject* flags = read_slot(value, encoder.kinds.regex_flags);
    std::int64_t bits = 0;
    if (pattern == nullptr || flags == nullptr || !PyLong_Check(flags) || !py::int64_value(flags, bits)) {
        return Outcome::other;
    }
    if (!PyUnicode_Check(pattern) && !PyBytes_Check(pattern)) return Outcome::other;
    return from_bool(write_regex(encoder, type_at, pattern, static_cast<long>(bits)));
}

Outcome marker_only(Encoder& encoder, std::size_t type_at, Type type) {
    encoder.set_type(type_at, type);
    return Outcome::done;
}

}  // namespace

long long datetime_milliseconds(PyObject* datetime) noexcept {
    py::DatetimeFields at = py::datetime_fields(datetime);
    return datetime_seconds(at) * 1000 + at.microsecond / 1000;
}

bool write_regex(Encoder& encoder, std::size_t type_at, PyObject* pattern, long flags) {
    const char* data = nullptr;
    Py_ssize_t size = 0;
    const bool is_text = PyUnicode_Check(pattern);
    if (is_text) {
        py::Utf8 utf8 = py::utf8(pattern);
        data = utf8.data;
        size = utf8.size;
    } else {
        data = PyBytes_AsString(pattern);  // TypeError for anything else
        if (data != nullptr) size = PyBytes_GET_SIZE(pattern);
    }
    if (data == nullptr || !check_text_size(encoder, size, INT_MAX)) return false;
    auto count = static_cast<std::size_t>(size);
    if (std::memchr(data, 0, count) != nullptr) {
        PyErr_SetString(encoder.kinds.invalid_document.get(), "regex patterns must not contain the NULL byte");
        return false;
    }
    if (!is_text) {
        py::Ref decoded = py::Ref::steal(PyUnicode_DecodeUTF8(data, size, nullptr));
        if (!decoded) {
            PyErr_Clear();
            PyErr_SetString(encoder.kinds.invalid_string_data.get(), "regex patterns must be valid UTF-8");
            return false;
        }
    }
    if (!encoder.reserve(count + 8)) return false;
    std::uint8_t* at = encoder.tail();
    std::uint8_t* start = at;
    bson::copy_bytes(at, data, count);
    at += count;
    *at++ = 0;
    // Letters of the BSON options in alphabetical order, by the bits of the `re` module.
    constexpr struct {
        long bit;
        char letter;
    } letters[] = {{2, 'i'}, {4, 'l'}, {8, 'm'}, {16, 's'}, {32, 'u'}, {64, 'x'}};
    for (const auto& one : letters) {
        if (flags & one.bit) *at++ = static_cast<std::uint8_t>(one.letter);
    }
    *at++ = 0;
    encoder.advance(static_cast<std::size_t>(at - start));
    encoder.set_type(type_at, Type::regex);
    return true;
}

Outcome write_known(Encoder& encoder, std::size_t type_at, PyObject* value, Kind kind) {
    switch (kind) {
        case Kind::object_id: return object_id(encoder, type_at, value);
        case Kind::datetime: return datetime(encoder, type_at, value);
        case Kind::decimal128: return decimal128(encoder, type_at, value);
        case Kind::uuid: return uuid(encoder, type_at, value);
        case Kind::int64: return int64(encoder, type_at, value);
        case Kind::timestamp: return timestamp(encoder, type_at, value);
        case Kind::datetime_ms: return datetime_ms(encoder, type_at, value);
        case Kind::regex: return regex(encoder, type_at, value);
        case Kind::min_key: return marker_only(encoder, type_at, Type::min_key);
        case Kind::max_key: return marker_only(encoder, type_at, Type::max_key);
        default: return Outcome::other;  // containers and types with attributes: walk/hook
    }
}

}  // namespace barewire::walk
