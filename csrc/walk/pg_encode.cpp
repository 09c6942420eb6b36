// The dispatch over types, the common ones in place; and the place of an error in its message.
#include "walk/pg_encode.h"

#include <limits>
#include <string>

#include "py/compat.h"
#include "py/internals/integer.h"
#include "py/internals/text.h"
#include "walk/pg_encoder.h"

namespace barewire::walk {

namespace pg = wire::pg;
using py::Ref;

bool PgEncoder::grow(std::size_t extra) noexcept {
    flush();
    const bool grown = out_.reserve(extra);
    attach();
    if (!grown) PyErr_NoMemory();
    return grown;
}

namespace {

template <class Integer>
BAREWIRE_INLINE bool exact_integer(PgEncoder& encoder, const PgType& type, PyObject* value, Integer& number) {
    std::int64_t wide = 0;
    if (BAREWIRE_UNLIKELY(Py_TYPE(value) != &PyLong_Type || !py::int64_value(value, wide))) {
        if (!pg_integer(encoder, type, value, wide)) return false;
    }
    number = static_cast<Integer>(wide);
    if (BAREWIRE_UNLIKELY(static_cast<std::int64_t>(number) != wide)) {
        return fail_pg_range(encoder, type, "out of range");
    }
    return true;
}

template <class Integer>
BAREWIRE_INLINE bool write_integer(PgEncoder& encoder, const PgType& type, PyObject* value) {
    Integer number;
    if (BAREWIRE_UNLIKELY(!exact_integer(encoder, type, value, number) || !encoder.reserve(sizeof number))) return false;
    encoder.advance_to(pg::put(encoder.tail(), number));
    return true;
}

BAREWIRE_INLINE bool exact_float(PgEncoder& encoder, const PgType& type, PyObject* value, double& number) {
    if (BAREWIRE_LIKELY(Py_TYPE(value) == &PyFloat_Type)) {
        number = PyFloat_AS_DOUBLE(value);
        return true;
    }
    return pg_float(encoder, type, value, number);
}

bool write_float4(PgEncoder& encoder, const PgType& type, PyObject* value) {
    double number;
    if (!exact_float(encoder, type, value, number) || !encoder.reserve(4)) return false;
    const auto narrow = static_cast<float>(number);
    // The server refuses both as well: what rounds to infinity, and what rounds to zero.
    if ((narrow - narrow != 0 && number - number == 0) || (narrow == 0 && number != 0)) {
        return fail_pg_range(encoder, type, "out of range");
    }
    encoder.advance_to(pg::put_float(encoder.tail(), narrow));
    return true;
}

}  // namespace

bool write_pg_value(PgEncoder& encoder, const PgType& type, PyObject* value) {
    switch (type.kind) {
        case PgKind::boolean:
            if (!PyBool_Check(value)) return fail_pg_type(encoder, type, value, "bool");
            if (!encoder.reserve(1)) return false;
            encoder.advance_to(pg::put(encoder.tail(), static_cast<std::uint8_t>(value == Py_True)));
            return true;
        case PgKind::int2: return write_integer<std::int16_t>(encoder, type, value);
        case PgKind::int4: return write_integer<std::int32_t>(encoder, type, value);
        case PgKind::int8: return write_integer<std::int64_t>(encoder, type, value);
        case PgKind::uint4: return write_integer<std::uint32_t>(encoder, type, value);
        case PgKind::uint8: return write_pg_uint8(encoder, type, value);
        case PgKind::float4: return write_float4(encoder, type, value);
        case PgKind::float8: {
            double number;
            if (!exact_float(encoder, type, value, number) || !encoder.reserve(8)) return false;
            encoder.advance_to(pg::put_double(encoder.tail(), number));
            return true;
        }
        case PgKind::numeric: return write_pg_numeric(encoder, type, value);
        case PgKind::money: return write_pg_money(encoder, type, value);
        case PgKind::text:
        case PgKind::byte_char:
        case PgKind::versioned: return write_pg_text(encoder, type, value);
        case PgKind::bytea: return write_pg_bytea(encoder, type, value);
        case PgKind::json:
        case PgKind::jsonb: return write_pg_json(encoder, type, value);
        case PgKind::enumeration: return write_pg_enumeration(encoder, type, value);
        case PgKind::date:
        case PgKind::time:
        case PgKind::timetz:
        case PgKind::timestamp:
        case PgKind::timestamptz:
        case PgKind::interval: return write_pg_clock(encoder, type, value);
        case PgKind::uuid: return write_pg_uuid(encoder, type, value);
        case PgKind::inet:
        case PgKind::cidr: return write_pg_network(encoder, type, value);
        case PgKind::macaddr:
        case PgKind::macaddr8:
        case PgKind::bits:
        case PgKind::point:
        case PgKind::lseg:
        case PgKind::path:
        case PgKind::box:
        case PgKind::polygon:
        case PgKind::line:
        case PgKind::circle:
        case PgKind::tid:
        case PgKind::lsn: return write_pg_spelled(encoder, type, value);
        case PgKind::hstore: return write_pg_hstore(encoder, type, value);
        case PgKind::array:
        case PgKind::vector: return write_pg_array(encoder, type, value);
        case PgKind::range: return write_pg_range(encoder, type, value);
        case PgKind::multirange: return write_pg_multirange(encoder, type, value);
        case PgKind::composite: return write_pg_composite(encoder, type, value);
        case PgKind::record:  // the server takes none: which columns would it have?
        case PgKind::opaque: return write_pg_text_form(encoder, type, value);
    }
    return write_pg_text_form(encoder, type, value);
}

bool finish_pg_field(PgEncoder& encoder, const PgType& type, std::size_t start) {
    const std::size_t size = encoder.size() - start - 4;
    if (BAREWIRE_UNLIKELY(size > pg::max_field_size)) return fail_pg_value(encoder, type, "1 GiB or more");
    pg::put(encoder.data() + start, static_cast<std::int32_t>(size));
    return true;
}

bool write_pg_field(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (BAREWIRE_UNLIKELY(!encoder.reserve(16))) return false;
    std::uint8_t* at = encoder.tail();
    if (value == Py_None) {
        encoder.advance_to(pg::put(at, pg::null_length));
        return true;
    }
    // Numbers of fixed size and plain text, without a second look at the length.
    switch (type.kind) {
        case PgKind::int4: {
            std::int32_t number;
            if (BAREWIRE_UNLIKELY(!exact_integer(encoder, type, value, number))) return false;
            at = encoder.tail();
            encoder.advance_to(pg::put(pg::put(at, std::int32_t{4}), number));
            return true;
        }
        case PgKind::int8: {
            std::int64_t number;
            if (BAREWIRE_UNLIKELY(!exact_integer(encoder, type, value, number))) return false;
            at = encoder.tail();
            encoder.advance_to(pg::put(pg::put(at, std::int32_t{8}), number));
            return true;
        }
        case PgKind::float8: {
            double number;
            if (BAREWIRE_UNLIKELY(!exact_float(encoder, type, value, number))) return false;
            encoder.advance_to(pg::put_double(pg::put(encoder.tail(), std::int32_t{8}), number));
            return true;
        }
        default: break;
    }
    const std::size_t start = encoder.size();
    encoder.advance(4);
    return write_pg_value(encoder, type, value) && finish_pg_field(encoder, type, start);
}

bool fail_pg_type(PgEncoder& encoder, const PgType& type, PyObject* value, const char* what) {
    encoder.own_error = true;
    PyErr_Format(encoder.kinds.data_error.get(), "expected %s for %s, got %.200s", what, type.name.c_str(),
                 Py_TYPE(value)->tp_name);
    return false;
}

bool fail_pg_value(PgEncoder& encoder, const PgType& type, const char* what) {
    encoder.own_error = true;
    PyErr_Format(encoder.kinds.data_error.get(), "value for %s: %s", type.name.c_str(), what);
    return false;
}

bool fail_pg_range(PgEncoder& encoder, const PgType& type, const char* what) {
    encoder.own_error = true;
    PyErr_Format(encoder.kinds.out_of_range.get(), "value for %s: %s", type.name.c_str(), what);
    return false;
}

bool fail_pg_caught(PgEncoder& encoder, const PgType& type, const char* what) {
    if (!PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_TypeError) &&
        !PyErr_ExceptionMatches(PyExc_OverflowError)) {
        return false;
    }
    PyErr_Clear();
    return fail_pg_value(encoder, type, what);
}

namespace {

// "row 3, column price: " or "$1[3].x: ": the place, by what the caller knows of it.
std::string place_of(const PgOrigin& origin, const std::string& inside) {
    std::string place;
    if (origin.row >= 0) place.append("row ").append(std::to_string(origin.row));
    if (origin.column != nullptr) {
        const py::Utf8 name = py::utf8(origin.column);
        if (name.data == nullptr) PyErr_Clear();
        if (!place.empty()) place += ", ";
        place += "column ";
        if (name.data != nullptr) place.append(name.data, static_cast<std::size_t>(name.size));
    } else if (origin.parameter != 0) {
        if (!place.empty()) place += ", ";
        place.append("$").append(std::to_string(origin.parameter));
    }
    // Without a parameter or column a field's name stands alone.
    const bool dotted = !inside.empty() && inside[0] == '.' && place.empty();
    place.append(inside, dotted ? 1 : 0);
    return place;
}

}  // namespace

void locate_pg_error(PgEncoder& encoder, const PgOrigin& origin) {
    std::string inside;
    if (!encoder.path.take(inside)) return;
    std::string place;
    try {
        Ref raised = py::take_exception();
        place = place_of(origin, inside);
        py::restore_exception(std::move(raised));
    } catch (...) {
        return;
    }
    if (place.empty()) return;
    if (!encoder.own_error) {
        try {
            place.insert(0, "at ");
        } catch (...) {
            return;
        }
        py::note_exception(place);
        return;
    }
    Ref raised = py::take_exception();
    Ref text = Ref::steal(PyObject_Str(raised.get()));
    Ref prefix = Ref::steal(PyUnicode_DecodeUTF8(place.data(), static_cast<Py_ssize_t>(place.size()), "replace"));
    Ref located;
    if (text && prefix) located = Ref::steal(PyUnicode_FromFormat("%U: %U", prefix.get(), text.get()));
    if (located) located = Ref::steal(PyObject_CallOneArg(reinterpret_cast<PyObject*>(raised.type()), located.get()));
    if (!located) PyErr_Clear();
    py::restore_exception(located ? std::move(located) : std::move(raised));
}

namespace {

template <class Write>
bool encode(PgEncoding& encoding, base::Buffer& out, const PgOrigin& origin, Write write) {
    const std::size_t start = out.size();
    PgEncoder encoder(encoding, out);
    if (BAREWIRE_LIKELY(write(encoder))) {
        encoder.flush();
        return true;
    }
    locate_pg_error(encoder, origin);
    encoder.flush();
    out.truncate(start);
    return false;
}

}  // namespace

bool pg_encode(PgEncoding& encoding, const PgType& type, PyObject* value, base::Buffer& out, const PgOrigin& origin) {
    return encode(encoding, out, origin, [&](PgEncoder& encoder) { return write_pg_value(encoder, type, value); });
}

bool pg_encode_field(PgEncoding& encoding, const PgType& type, PyObject* value, base::Buffer& out,
                     const PgOrigin& origin) {
    return encode(encoding, out, origin, [&](PgEncoder& encoder) { return write_pg_field(encoder, type, value); });
}

}  // namespace barewire::walk
