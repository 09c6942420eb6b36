// Imports of the classes of PostgreSQL values and the samples that decide how they are built.
#include "walk/pg_kinds.h"

#include <utility>

#include "py/internals/clock.h"
#include "py/internals/decimal.h"

namespace barewire::walk {

using py::Ref;

namespace {

Ref import_name(const char* module, const char* name) {
    Ref imported = Ref::steal(PyImport_ImportModule(module));
    if (!imported) return {};
    return Ref::steal(PyObject_GetAttrString(imported.get(), name));
}

struct Wanted {
    const char* module;
    const char* name;
    Ref PgKinds::*where;
};

constexpr Wanted wanted[] = {
    {"psycopg", "DataError", &PgKinds::data_error},
    {"psycopg.errors", "NumericValueOutOfRange", &PgKinds::out_of_range},
    {"psycopg.types.range", "Range", &PgKinds::range},
    {"psycopg.types.multirange", "Multirange", &PgKinds::multirange},
    {"psycopg.types.json", "Json", &PgKinds::json},
    {"psycopg.types.json", "Jsonb", &PgKinds::jsonb},
    {"decimal", "Decimal", &PgKinds::decimal},
    {"uuid", "UUID", &PgKinds::uuid},
    {"enum", "Enum", &PgKinds::enumeration},
    {"collections.abc", "Mapping", &PgKinds::mapping},
    {"ipaddress", "IPv4Address", &PgKinds::ipv4_address},
    {"ipaddress", "IPv6Address", &PgKinds::ipv6_address},
    {"ipaddress", "IPv4Interface", &PgKinds::ipv4_interface},
    {"ipaddress", "IPv6Interface", &PgKinds::ipv6_interface},
    {"ipaddress", "IPv4Network", &PgKinds::ipv4_network},
    {"ipaddress", "IPv6Network", &PgKinds::ipv6_network},
    {"ipaddress", "ip_interface", &PgKinds::ip_interface},
    {"ipaddress", "ip_network", &PgKinds::ip_network},
    {"json", "loads", &PgKinds::json_loads},
    {"json", "dumps", &PgKinds::json_dumps},
    {"zoneinfo", "ZoneInfo", &PgKinds::zone_info},
};

struct WantedText {
    const char* text;
    Ref PgKinds::*where;
};

constexpr WantedText wanted_texts[] = {
    {"utcoffset", &PgKinds::utcoffset},
    {"fromutc", &PgKinds::fromutc},
    {"name", &PgKinds::name},
    {"obj", &PgKinds::obj},
    {"dumps", &PgKinds::dumps},
    {"lower", &PgKinds::lower},
    {"upper", &PgKinds::upper},
    {"bounds", &PgKinds::bounds_name},
    {"packed", &PgKinds::packed},
    {"network", &PgKinds::network},
    {"prefixlen", &PgKinds::prefixlen},
    {"network_address", &PgKinds::network_address},
    {"bytes", &PgKinds::bytes_name},
    {"get_loader", &PgKinds::get_loader},
    {"load", &PgKinds::load},
    {"key", &PgKinds::key},
    {"astimezone", &PgKinds::astimezone},
    {"", &PgKinds::empty_text},
};

bool confirm_uuid(PgKinds& kinds) {
    if (!kinds.uuid_slots.describe(kinds.uuid.get(), {"int", "is_safe"})) return false;
    Ref safe_uuid = import_name("uuid", "SafeUUID");
    if (!safe_uuid) return false;
    kinds.safe_uuid_unknown = Ref::steal(PyObject_GetAttrString(safe_uuid.get(), "unknown"));
    Ref number = Ref::steal(PyLong_FromString("112233445566778899aabbccddeeff00", nullptr, 16));
    Ref sample = Ref::steal(PyObject_CallFunction(kinds.uuid.get(), "s", "11223344-5566-7788-99aa-bbccddeeff00"));
    return kinds.safe_uuid_unknown && number && sample &&
           kinds.uuid_slots.confirm(sample.get(), {number.get(), kinds.safe_uuid_unknown.get()});
}

bool confirm_range(PgKinds& kinds) {
    constexpr const char* texts[] = {"()", "[)", "(]", "[]"};
    for (int i = 0; i < 4; ++i) {
        kinds.bounds[i] = Ref::steal(PyUnicode_InternFromString(texts[i]));
        if (!kinds.bounds[i]) return false;
    }
    if (!kinds.range_slots.describe(kinds.range.get(), {"_lower", "_upper", "_bounds"})) return false;
    Ref lower = Ref::steal(PyLong_FromLong(1000)), upper = Ref::steal(PyUnicode_FromString("upper"));
    if (!lower || !upper) return false;
    Ref sample = Ref::steal(
        PyObject_CallFunctionObjArgs(kinds.range.get(), lower.get(), upper.get(), kinds.bounds[3].get(), nullptr));
    if (!sample || !kinds.range_slots.confirm(sample.get(), {lower.get(), upper.get(), kinds.bounds[3].get()})) return false;
    sample = Ref::steal(PyObject_CallFunction(kinds.range.get(), "OOOi", Py_None, Py_None, kinds.bounds[1].get(), 1));
    return sample && kinds.range_slots.confirm(sample.get(), {Py_None, Py_None, kinds.empty_text.get()});
}

bool confirm_addresses(PgKinds& kinds) {
    if (!kinds.ipv4_slots.describe(kinds.ipv4_address.get(), {"_ip"}) ||
        !kinds.ipv6_slots.describe(kinds.ipv6_address.get(), {"_ip", "_scope_id"})) {
        return false;
    }
    Ref four = Ref::steal(PyLong_FromLong(0x01020304)), six = Ref::steal(PyLong_FromLong(0x10002));
    Ref sample4 = Ref::steal(PyObject_CallFunction(kinds.ipv4_address.get(), "s", "1.2.3.4"));
    Ref sample6 = Ref::steal(PyObject_CallFunction(kinds.ipv6_address.get(), "s", "::1:2"));
    return four && six && sample4 && sample6 && kinds.ipv4_slots.confirm(sample4.get(), {four.get()}) &&
           kinds.ipv6_slots.confirm(sample6.get(), {six.get(), Py_None});
}

}  // namespace

bool PgKinds::resolve_all() {
    if (!py::load_clock()) return false;
    for (const Wanted& one : wanted) {
        Ref found = import_name(one.module, one.name);
        if (!found) return false;
        // Imports can let another thread come here first; whoever is last stores equal objects.
        this->*one.where = std::move(found);
    }
    for (const WantedText& one : wanted_texts) {
        Ref text = Ref::steal(PyUnicode_InternFromString(one.text));
        if (!text) return false;
        this->*one.where = std::move(text);
    }
    if (!confirm_uuid(*this) || !confirm_range(*this) || !confirm_addresses(*this)) return false;
    Ref transformer_class = import_name("psycopg.adapt", "Transformer");
    if (!transformer_class) return false;
    transformer = Ref::steal(PyObject_CallNoArgs(transformer_class.get()));
    if (!transformer) return false;
    decimal_in_place = py::confirm_decimal_layout(decimal.get());
    if (PyErr_Occurred()) return false;
    resolved = true;
    return true;
}

}  // namespace barewire::walk
