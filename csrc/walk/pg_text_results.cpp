// Fields in text format, for results that hold a type without a binary form: scalars, mostly by psycopg's own text loaders.
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "py/internals/clock.h"
#include "walk/pg_decode.h"
#include "walk/pg_decoder.h"
#include "wire/pg/clock.h"
#include "wire/pg/oids.h"

namespace barewire::walk {

namespace pg = wire::pg;
using py::Ref;

namespace {

// The oid under which psycopg knows the layout of a domain or of another type that the database has added.
std::uint32_t known_oid(const PgType& type) noexcept {
    for (const pg::BuiltinType& builtin : pg::builtin_types) {
        if (builtin.oid == type.oid) return type.oid;
    }
    for (const pg::BuiltinType& builtin : pg::builtin_types) {
        if (builtin.kind == type.kind) return builtin.oid;
    }
    return type.oid;
}

PyObject* by_loader(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    const PgKinds& kinds = decoding.kinds;
    Ref bytes = Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data), static_cast<Py_ssize_t>(size)));
    Ref oid = Ref::steal(PyLong_FromUnsignedLong(known_oid(type))), text_format = Ref::steal(PyLong_FromLong(0));
    if (!bytes || !oid || !text_format) return nullptr;
    PyObject* arguments[] = {kinds.transformer.get(), oid.get(), text_format.get()};
    Ref loader = Ref::steal(PyObject_VectorcallMethod(kinds.get_loader.get(), arguments, 3, nullptr));
    return loader ? PyObject_CallMethodOneArg(loader.get(), kinds.load.get(), bytes.get()) : nullptr;
}

// psycopg's loader of a transformer without a connection gives UTC.
PyObject* timestamptz(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    Ref utc = Ref::steal(by_loader(decoding, type, data, size));
    PyObject* zone = decoding.settings.timezone.get();
    if (!utc || zone == nullptr || zone == py::timezone_utc()) return utc.release();
    return PyObject_CallMethodOneArg(utc.get(), decoding.kinds.astimezone.get(), zone);
}

// The text of a float4 has the digits that tell it from its neighbours; the value is the float4 itself, as in binary format.
PyObject* narrowed(PyObject* number) {
    Ref wide = Ref::steal(number);
    if (!wide || !PyFloat_Check(wide.get())) return wide.release();
    return PyFloat_FromDouble(static_cast<double>(static_cast<float>(PyFloat_AS_DOUBLE(wide.get()))));
}

PyObject* integer(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    char* end = nullptr;
    PyObject* number = size == 0 ? nullptr : PyLong_FromString(text.c_str(), &end, 10);
    if (number != nullptr) return number;
    PyErr_Clear();
    return fail_pg_bytes(decoding, type);
}

// The text of every locale shows all digits of the minor unit, whatever stands between and around them.
PyObject* money(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    std::uint64_t minor = 0;
    bool negative = false;
    for (std::size_t i = 0; i < size; ++i) {
        if (data[i] == '-' || data[i] == '(') negative = true;
        if (data[i] >= '0' && data[i] <= '9') minor = minor * 10 + (data[i] - '0');
    }
    std::uint8_t binary[8];
    base::store_big(binary, negative ? 0 - minor : minor);
    return read_pg_money(decoding, type, binary, sizeof binary);
}

// "1 year 2 mons -3 days +04:05:06.789", the IntervalStyle postgres; psycopg reads it on a connection only.
PyObject* interval(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    std::int64_t days = 0, microseconds = 0;
    const char* at = text.c_str();
    while (*at != 0) {
        if (*at == ' ') {
            ++at;
            continue;
        }
        const bool negative = *at == '-';
        char* end = nullptr;
        const long long number = std::strtoll(at, &end, 10);
        if (end == at) return fail_pg_bytes(decoding, type);
        at = end;
        if (*at == ':') {
            unsigned minutes = 0;
            unsigned long long seconds = 0, fraction = 0, unit = pg::microseconds_per_second;
            minutes = static_cast<unsigned>(std::strtoul(at + 1, &end, 10));
            if (*end != ':') return fail_pg_bytes(decoding, type);
            seconds = std::strtoull(end + 1, &end, 10);
            if (*end == '.') {
                for (++end; *end >= '0' && *end <= '9'; ++end) {
                    unit /= 10;
                    fraction += static_cast<unsigned long long>(*end - '0') * unit;
                }
            }
            at = end;
            std::int64_t rest = 0;
            const auto small = static_cast<std::int64_t>((minutes * 60 + seconds) * pg::microseconds_per_second + fraction);
            if (__builtin_mul_overflow(negative ? -number : number, 3600 * pg::microseconds_per_second, &rest) ||
                __builtin_add_overflow(rest, small, &rest)) {
                return fail_pg_bytes(decoding, type);
            }
            microseconds = negative ? -rest : rest;
            continue;
        }
        if (*at == ' ') ++at;
        const char* unit_end = at;
        while (*unit_end >= 'a' && *unit_end <= 'z') ++unit_end;
        const std::string_view unit(at, static_cast<std::size_t>(unit_end - at));
        if (unit.starts_with("year")) {
            days += number * 365;
        } else if (unit.starts_with("mon")) {
            days += number * 30;
        } else if (unit.starts_with("day")) {
            days += number;
        } else {
            return fail_pg_bytes(decoding, type);
        }
        at = unit_end;
    }
    std::int64_t rest;
    days += pg::split_days(microseconds, rest);
    if (days < -999999999 || days > 999999999) {
        return fail_pg_data(decoding, "can't parse interval: days are out of the range of timedelta");
    }
    return py::clock_api->Delta_FromDelta(static_cast<int>(days), static_cast<int>(rest / pg::microseconds_per_second),
                                          static_cast<int>(rest % pg::microseconds_per_second), 0, py::clock_api->DeltaType);
}

}  // namespace

PyObject* read_pg_text_form(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    switch (type.kind) {
        case PgKind::array:
        case PgKind::vector:
        case PgKind::range:
        case PgKind::multirange:
        case PgKind::composite:
        case PgKind::hstore: return read_pg_nested_text(decoding, type, data, size);
        case PgKind::enumeration: return read_pg_enumeration(decoding, type, data, size);
        case PgKind::uint4:
        case PgKind::uint8: return integer(decoding, type, data, size);
        case PgKind::money: return money(decoding, type, data, size);
        case PgKind::interval: return interval(decoding, type, data, size);
        case PgKind::timestamptz: return timestamptz(decoding, type, data, size);
        case PgKind::float4: return narrowed(by_loader(decoding, type, data, size));
        case PgKind::json:
        case PgKind::jsonb: return read_pg_json_text(decoding, data, size);
        case PgKind::boolean:
        case PgKind::int2:
        case PgKind::int4:
        case PgKind::int8:
        case PgKind::float8:
        case PgKind::numeric:
        case PgKind::bytea:
        case PgKind::uuid:
        case PgKind::date:
        case PgKind::time:
        case PgKind::timetz:
        case PgKind::timestamp:
        case PgKind::inet:
        case PgKind::cidr:
        case PgKind::record: return by_loader(decoding, type, data, size);
        default: return read_pg_text(decoding, data, size);  // a value that is text in Python, too, or that nobody knows
    }
}

Ref pg_decode_text(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    return Ref::steal(read_pg_text_form(decoding, type, data, size));
}

}  // namespace barewire::walk
