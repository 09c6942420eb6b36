// uuid, inet and cidr, from the classes of the standard library or from text.
#include <cstring>

#include "py/compat.h"
#include "walk/pg_encoder.h"

namespace barewire::walk {

namespace pg = wire::pg;
using py::Ref;

namespace {

constexpr std::uint8_t family_4 = 2, family_6 = 3;

bool instance_of(PyObject* value, const Ref& type) noexcept {
    return PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(type.get()));
}

// Appends the bytes of a 128-bit int.
bool write_16_bytes(PgEncoder& encoder, const PgType& type, PyObject* integer) {
    if (!encoder.reserve(16)) return false;
    if (integer == nullptr || !PyLong_Check(integer) || !py::long_to_16_bytes_big(integer, encoder.tail())) {
        PyErr_Clear();
        return fail_pg_value(encoder, type, "no 128-bit number");
    }
    encoder.advance(16);
    return true;
}

// An attribute that has to be bytes; empty with an error set.
Ref bytes_attribute(PgEncoder& encoder, const PgType& type, PyObject* value, const Ref& name) {
    Ref bytes = Ref::steal(PyObject_GetAttr(value, name.get()));
    if (bytes && !PyBytes_Check(bytes.get())) {
        fail_pg_type(encoder, type, bytes.get(), "bytes of the value");
        return {};
    }
    return bytes;
}

bool write_address(PgEncoder& encoder, const PgType& type, Ref packed, long bits, bool is_cidr) {
    if (!packed) return false;
    const auto size = static_cast<std::size_t>(PyBytes_GET_SIZE(packed.get()));
    if ((size != 4 && size != 16) || bits < 0 || bits > static_cast<long>(size) * 8) {
        return fail_pg_value(encoder, type, "no address");
    }
    if (!encoder.reserve(4 + size)) return false;
    std::uint8_t* at = encoder.tail();
    at = pg::put(at, size == 4 ? family_4 : family_6);
    at = pg::put(at, static_cast<std::uint8_t>(bits));
    at = pg::put(at, static_cast<std::uint8_t>(is_cidr));
    at = pg::put(at, static_cast<std::uint8_t>(size));
    encoder.advance_to(pg::put_bytes(at, PyBytes_AS_STRING(packed.get()), size));
    return true;
}

// Prefix length of a network, or of an interface by way of its network; -1 with an error set.
long prefix_of(const PgKinds& kinds, PyObject* network) {
    Ref length = Ref::steal(PyObject_GetAttr(network, kinds.prefixlen.get()));
    return length ? PyLong_AsLong(length.get()) : -1;
}

bool write_network(PgEncoder& encoder, const PgType& type, PyObject* value, bool is_cidr) {
    const PgKinds& kinds = encoder.kinds;
    const long bits = prefix_of(kinds, value);
    if (bits < 0) return false;
    Ref address = Ref::steal(PyObject_GetAttr(value, kinds.network_address.get()));
    return address && write_address(encoder, type, bytes_attribute(encoder, type, address.get(), kinds.packed), bits, is_cidr);
}

bool write_interface(PgEncoder& encoder, const PgType& type, PyObject* value) {
    const PgKinds& kinds = encoder.kinds;
    Ref network = Ref::steal(PyObject_GetAttr(value, kinds.network.get()));
    if (!network) return false;
    const long bits = prefix_of(kinds, network.get());
    return bits >= 0 && write_address(encoder, type, bytes_attribute(encoder, type, value, kinds.packed), bits, false);
}

}  // namespace

bool write_pg_uuid(PgEncoder& encoder, const PgType& type, PyObject* value) {
    const PgKinds& kinds = encoder.kinds;
    if (BAREWIRE_LIKELY(kinds.uuid_slots.native() && kinds.uuid_slots.is_exact(value))) {
        return write_16_bytes(encoder, type, kinds.uuid_slots.slot(value, 0));
    }
    Ref held = Ref::share(value);
    ++encoder.user_code;
    if (instance_of(value, kinds.uuid)) {
        Ref bytes = bytes_attribute(encoder, type, value, kinds.bytes_name);
        if (!bytes) return false;
        if (PyBytes_GET_SIZE(bytes.get()) != 16) return fail_pg_value(encoder, type, "not 16 bytes");
        if (!encoder.reserve(16)) return false;
        encoder.advance_to(pg::put_bytes(encoder.tail(), PyBytes_AS_STRING(bytes.get()), 16));
        return true;
    }
    if (!PyUnicode_Check(value)) return fail_pg_type(encoder, type, value, "UUID");
    Ref parsed = Ref::steal(PyObject_CallOneArg(kinds.uuid.get(), value));
    if (!parsed) return fail_pg_caught(encoder, type, "no UUID");
    return write_pg_uuid(encoder, type, parsed.get());
}

bool write_pg_network(PgEncoder& encoder, const PgType& type, PyObject* value) {
    const PgKinds& kinds = encoder.kinds;
    const bool is_cidr = type.kind == PgKind::cidr;
    Ref held = Ref::share(value);
    ++encoder.user_code;
    if (PyUnicode_Check(value)) {
        Ref parsed = Ref::steal(PyObject_CallOneArg((is_cidr ? kinds.ip_network : kinds.ip_interface).get(), value));
        if (!parsed) return fail_pg_caught(encoder, type, "no address");
        return write_pg_network(encoder, type, parsed.get());
    }
    if (instance_of(value, kinds.ipv4_network) || instance_of(value, kinds.ipv6_network)) {
        return write_network(encoder, type, value, is_cidr);
    }
    // What follows has bits behind the prefix, which cidr does not allow.
    if (is_cidr) {
        const bool whole = (instance_of(value, kinds.ipv4_address) && !instance_of(value, kinds.ipv4_interface)) ||
                           (instance_of(value, kinds.ipv6_address) && !instance_of(value, kinds.ipv6_interface));
        if (!whole) return fail_pg_type(encoder, type, value, "IPv4Network or IPv6Network");
    }
    if (instance_of(value, kinds.ipv4_interface) || instance_of(value, kinds.ipv6_interface)) {
        return write_interface(encoder, type, value);
    }
    if (instance_of(value, kinds.ipv4_address)) {
        return write_address(encoder, type, bytes_attribute(encoder, type, value, kinds.packed), 32, is_cidr);
    }
    if (instance_of(value, kinds.ipv6_address)) {
        return write_address(encoder, type, bytes_attribute(encoder, type, value, kinds.packed), 128, is_cidr);
    }
    return fail_pg_type(encoder, type, value, "IPv4Address, IPv6Address or an interface");
}

}  // namespace barewire::walk
