// The dispatch over types, the common ones in place.
#include "walk/pg_decode.h"

#include <bit>

#include "base/bytes.h"
#include "py/guard.h"
#include "py/text_build.h"
#include "walk/pg_decoder.h"

namespace barewire::walk {

using base::load_big;
using py::Ref;

PyObject* fail_pg_bytes(PgDecoding& decoding, const PgType& type) {
    PyErr_Format(decoding.kinds.data_error.get(), "malformed binary value of %s", type.name.c_str());
    return nullptr;
}

PyObject* fail_pg_data(PgDecoding& decoding, const char* text) {
    PyErr_SetString(decoding.kinds.data_error.get(), text);
    return nullptr;
}

PyObject* read_pg_value(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    switch (type.kind) {
        case PgKind::boolean:
            if (BAREWIRE_UNLIKELY(size != 1)) break;
            return Ref::share(*data ? Py_True : Py_False).release();
        case PgKind::int2:
            if (BAREWIRE_UNLIKELY(size != 2)) break;
            return PyLong_FromLong(load_big<std::int16_t>(data));
        case PgKind::int4:
            if (BAREWIRE_UNLIKELY(size != 4)) break;
            return PyLong_FromLong(load_big<std::int32_t>(data));
        case PgKind::int8:
            if (BAREWIRE_UNLIKELY(size != 8)) break;
            return PyLong_FromLongLong(load_big<std::int64_t>(data));
        case PgKind::uint4:
            if (BAREWIRE_UNLIKELY(size != 4)) break;
            return PyLong_FromUnsignedLong(load_big<std::uint32_t>(data));
        case PgKind::uint8:
            if (BAREWIRE_UNLIKELY(size != 8)) break;
            return PyLong_FromUnsignedLongLong(load_big<std::uint64_t>(data));
        case PgKind::float4:
            if (BAREWIRE_UNLIKELY(size != 4)) break;
            return PyFloat_FromDouble(std::bit_cast<float>(load_big<std::uint32_t>(data)));
        case PgKind::float8:
            if (BAREWIRE_UNLIKELY(size != 8)) break;
            return PyFloat_FromDouble(std::bit_cast<double>(load_big<std::uint64_t>(data)));
        case PgKind::text:
        case PgKind::byte_char:
            if (BAREWIRE_LIKELY(decoding.settings.encoding.empty())) return py::text_from_utf8(data, size, nullptr);
            return read_pg_text(decoding, data, size);
        case PgKind::bytea:
        case PgKind::opaque:
            return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data), static_cast<Py_ssize_t>(size));
        case PgKind::numeric: return read_pg_numeric(decoding, type, data, size);
        case PgKind::money: return read_pg_money(decoding, type, data, size);
        case PgKind::json:
        case PgKind::jsonb: return read_pg_json(decoding, type, data, size);
        case PgKind::versioned:
            if (BAREWIRE_UNLIKELY(size < 1 || *data != 1)) break;
            return read_pg_text(decoding, data + 1, size - 1);
        case PgKind::enumeration: return read_pg_enumeration(decoding, type, data, size);
        case PgKind::date: return read_pg_date(decoding, type, data, size);
        case PgKind::time:
        case PgKind::timetz: return read_pg_time(decoding, type, data, size);
        case PgKind::timestamp:
        case PgKind::timestamptz: return read_pg_timestamp(decoding, type, data, size);
        case PgKind::interval: return read_pg_interval(decoding, type, data, size);
        case PgKind::uuid: return read_pg_uuid(decoding, type, data, size);
        case PgKind::inet:
        case PgKind::cidr: return read_pg_network(decoding, type, data, size);
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
        case PgKind::lsn: return read_pg_spelled(decoding, type, data, size);
        case PgKind::hstore: return read_pg_hstore(decoding, type, data, size);
        case PgKind::array:
        case PgKind::vector: return read_pg_array(decoding, type, data, size);
        case PgKind::range: return read_pg_range(decoding, type, data, size);
        case PgKind::multirange: return read_pg_multirange(decoding, type, data, size);
        case PgKind::composite:
        case PgKind::record: return read_pg_composite(decoding, type, data, size);
    }
    return fail_pg_bytes(decoding, type);
}

PyObject* read_pg_field(PgDecoding& decoding, const PgType& type, const wire::pg::Field& field) {
    return field.is_null() ? Ref::none().release() : read_pg_value(decoding, type, field.data, field.size);
}

Ref pg_decode(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    return Ref::steal(read_pg_value(decoding, type, data, size));
}

}  // namespace barewire::walk
