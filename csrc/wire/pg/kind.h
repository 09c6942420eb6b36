// How the binary form of a PostgreSQL type is laid out; which type has which layout is in oids.h.
#pragma once

#include <cstdint>

namespace barewire::wire::pg {

enum class Kind : std::uint8_t {
    opaque,       // no layout known here, or a value that only the server can spell: travels as text
    boolean,
    int2,
    int4,
    int8,
    uint4,        // oid, xid, cid
    uint8,        // xid8
    float4,
    float8,
    numeric,
    money,        // int64 of the minor unit
    text,         // raw bytes in the client's encoding: text, varchar, name, xml, citext, ...
    byte_char,    // "char": one byte, or none
    bytea,
    json,
    jsonb,        // version byte 1, then text
    versioned,    // version byte 1, then text that is not JSON: jsonpath, ltree, lquery
    uuid,
    date,
    time,
    timetz,
    timestamp,
    timestamptz,
    interval,
    inet,
    cidr,
    macaddr,
    macaddr8,
    bits,         // bit and varbit
    point,
    lseg,
    path,
    box,
    polygon,
    line,
    circle,
    tid,
    lsn,
    hstore,
    enumeration,  // the label as text
    array,
    vector,       // int2vector, oidvector: an array of one dimension with lower bound 0
    range,
    multirange,
    composite,
    record,       // a composite whose columns only the value itself tells
};

}  // namespace barewire::wire::pg
