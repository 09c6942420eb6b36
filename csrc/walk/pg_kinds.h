// Python classes of PostgreSQL values, resolved on first sight and remembered; no walking happens here.
#pragma once

#include <memory>

#include "base/macros.h"
#include "py/python.h"
#include "py/ref.h"
#include "py/slots.h"

namespace barewire::walk {

class DecodeCache;

// Filled by `resolve()` on the first use of the codec: nothing is imported when the extension itself is.
struct PgKinds {
    bool resolved = false;

    // psycopg
    py::Ref data_error;                          // DataError
    py::Ref out_of_range;                        // errors.NumericValueOutOfRange, a DataError
    py::Ref range, multirange, json, jsonb;
    py::Ref transformer;                         // an adapt.Transformer with the global adapters: text loaders
    // standard library
    py::Ref decimal, uuid, safe_uuid_unknown, enumeration, mapping;
    py::Ref ipv4_address, ipv6_address, ipv4_interface, ipv6_interface, ipv4_network, ipv6_network;
    py::Ref ip_interface, ip_network;            // the functions that parse text
    py::Ref json_loads, json_dumps, zone_info;
    // ours
    py::Ref record;                              // the heap type of pg_record.h
    py::Ref record_keys;                         // of the record that came out of a pickle last

    // Classes that are built and read without their __init__ where their layout is the known one.
    py::SlotClass uuid_slots;                    // int, is_safe
    py::SlotClass range_slots;                   // lower, upper, bounds
    py::SlotClass ipv4_slots;                    // address as int
    py::SlotClass ipv6_slots;                    // address as int, scope
    bool decimal_in_place = false;               // see py/internals/decimal.h
    std::shared_ptr<DecodeCache> decode_cache;   // of JSON; empty while a decoder has it on loan

    // The zone that was met last; written by pg_zone.cpp only.
    py::Ref zone;
    bool zone_is_utc = false;
    PyCFunction zone_fromutc = nullptr;

    // Interned names.
    py::Ref bounds[4];                           // "()", "[)", "(]", "[]": lower inclusive is bit 0, upper bit 1
    py::Ref empty_text;
    py::Ref utcoffset, fromutc, name, obj, dumps, lower, upper, bounds_name, packed, network,
        prefixlen, network_address, bytes_name, get_loader, load, key, astimezone;

    // Imports and checks everything above once; false with a Python error set.
    [[nodiscard]] BAREWIRE_INLINE bool resolve() { return BAREWIRE_LIKELY(resolved) || resolve_all(); }

    PyTypeObject* decimal_type() const noexcept { return reinterpret_cast<PyTypeObject*>(decimal.get()); }

private:
    BAREWIRE_COLD bool resolve_all();
};

}  // namespace barewire::walk
