// Length and value of the common types in place; everything else through write_pg_field.
#pragma once

#include <cstring>

#include "base/macros.h"
#include "py/internals/integer.h"
#include "py/internals/text.h"
#include "walk/pg_encoder.h"

namespace barewire::walk {

namespace detail {

template <class Integer>
BAREWIRE_INLINE bool put_exact_integer(PgEncoder& encoder, PyObject* value) noexcept {
    std::int64_t wide = 0;
    if (BAREWIRE_UNLIKELY(Py_TYPE(value) != &PyLong_Type || !py::int64_value(value, wide))) return false;
    const auto number = static_cast<Integer>(wide);
    if (BAREWIRE_UNLIKELY(static_cast<std::int64_t>(number) != wide)) return false;
    std::uint8_t* at = wire::pg::put(encoder.tail(), static_cast<std::int32_t>(sizeof number));
    encoder.advance_to(wire::pg::put(at, number));
    return true;
}

}  // namespace detail

// As write_pg_field. Runs no user code unless that does.
BAREWIRE_INLINE bool write_pg_common_field(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (BAREWIRE_UNLIKELY(!encoder.reserve(16))) return false;
    if (value == Py_None) {
        encoder.advance_to(wire::pg::put(encoder.tail(), wire::pg::null_length));
        return true;
    }
    switch (type.kind) {
        case PgKind::int4:
            if (BAREWIRE_LIKELY(detail::put_exact_integer<std::int32_t>(encoder, value))) return true;
            break;
        case PgKind::int8:
            if (BAREWIRE_LIKELY(detail::put_exact_integer<std::int64_t>(encoder, value))) return true;
            break;
        case PgKind::int2:
            if (BAREWIRE_LIKELY(detail::put_exact_integer<std::int16_t>(encoder, value))) return true;
            break;
        case PgKind::float8:
            if (BAREWIRE_LIKELY(Py_TYPE(value) == &PyFloat_Type)) {
                std::uint8_t* at = wire::pg::put(encoder.tail(), std::int32_t{8});
                encoder.advance_to(wire::pg::put_double(at, PyFloat_AS_DOUBLE(value)));
                return true;
            }
            break;
        case PgKind::boolean:
            if (BAREWIRE_LIKELY(PyBool_Check(value))) {
                std::uint8_t* at = wire::pg::put(encoder.tail(), std::int32_t{1});
                encoder.advance_to(wire::pg::put(at, static_cast<std::uint8_t>(value == Py_True)));
                return true;
            }
            break;
        case PgKind::text:
            if (BAREWIRE_LIKELY(Py_TYPE(value) == &PyUnicode_Type && encoder.settings.encoding.empty())) {
                const py::Utf8 text = py::utf8(value);
                if (BAREWIRE_UNLIKELY(text.data == nullptr)) return false;
                const auto size = static_cast<std::size_t>(text.size);
                if (BAREWIRE_UNLIKELY(size > wire::pg::max_field_size || std::memchr(text.data, 0, size) != nullptr)) break;
                if (BAREWIRE_UNLIKELY(!encoder.reserve(4 + size))) return false;
                std::uint8_t* at = wire::pg::put(encoder.tail(), static_cast<std::int32_t>(size));
                encoder.advance_to(wire::pg::put_bytes(at, text.data, size));
                return true;
            }
            break;
        default: break;
    }
    return write_pg_field(encoder, type, value);
}

}  // namespace barewire::walk
