// Python types that the walkers recognise, resolved on first sight and remembered; no walking happens here.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/macros.h"
#include "py/python.h"
#include "py/ref.h"

namespace barewire::walk {

struct CodecOptions;
struct Values;
class DecodeCache;

// What an exact type is, found by its address. `unknown` covers subclasses and everything a user defines.
enum class Kind : std::uint8_t {
    unknown = 0,
    binary,
    object_id,
    datetime_ms,
    regex,
    code,
    timestamp,
    int64,
    decimal128,
    dbref,
    raw_document,
    min_key,
    max_key,
    son,
    datetime,
    uuid,
    pattern,
};

// Offset of a `__slots__` member in its instances; negative: not a slot of this release, use the attribute.
using SlotOffset = Py_ssize_t;

// Filled by `resolve()` on the first use of a codec: nothing is imported when the extension itself is.
struct Kinds {
    bool resolved = false;

    // bson
    py::Ref binary, object_id, datetime_ms, regex, code, timestamp, int64, decimal128, dbref, raw_document;
    py::Ref min_key, max_key, son, codec_options, type_registry;
    py::Ref bson_utc;                                   // bson.tz_util.utc
    // standard library
    py::Ref uuid, safe_uuid_unknown, pattern, mapping, mutable_mapping;
    PyTypeObject* datetime = nullptr;                   // borrowed from the datetime capsule
    // bson.errors
    py::Ref bson_error, invalid_bson, invalid_document, invalid_string_data, invalid_id;

    bool invalid_document_keeps_document = false;       // since PyMongo 4.16; the text differs too

    // Interned attribute names and keys.
    py::Ref id_key;                                     // "_id"
    py::Ref type_marker, subtype, flags, pattern_name, scope, inc, time, binary_name, bid, as_doc, utcoffset, from_uuid;
    py::Ref raw, binary_subtype, code_scope;            // the last two are the mangled attributes behind the properties

    SlotOffset object_id_value = -1;                    // bytes of length 12
    SlotOffset timestamp_time = -1, timestamp_inc = -1;
    SlotOffset decimal128_high = -1, decimal128_low = -1;
    SlotOffset uuid_int = -1, uuid_is_safe = -1;
    SlotOffset regex_pattern = -1, regex_flags = -1;
    SlotOffset datetime_ms_value = -1;
    SlotOffset dbref_collection = -1, dbref_database = -1, dbref_id = -1, dbref_kwargs = -1;

    // Filled on first use by values.cpp and bson_decode.cpp only.
    std::shared_ptr<const Values> values;
    std::shared_ptr<DecodeCache> decode_cache;          // empty while a decoder has it on loan
    // The last class of time zones met whose utcoffset() is a C function of one argument; written by zoned.cpp only.
    PyTypeObject* zone_type = nullptr;                  // static or immutable, so never freed or changed
    PyCFunction zone_utcoffset = nullptr;

    // Written by options.cpp only.
    std::shared_ptr<const CodecOptions> default_options, cached_options;

    // Kind of an exact type; one probe in nearly every case.
    BAREWIRE_INLINE Kind kind_of(PyTypeObject* type) const noexcept {
        for (std::size_t at = slot_of(type);; at = (at + 1) & (table.size() - 1)) {
            if (table[at].type == type) return table[at].kind;
            if (table[at].type == nullptr) return Kind::unknown;
        }
    }

    // Imports and checks everything above once; false with a Python error set.
    [[nodiscard]] BAREWIRE_INLINE bool resolve() { return BAREWIRE_LIKELY(resolved) || resolve_all(); }

    struct Entry {
        PyTypeObject* type = nullptr;
        Kind kind = Kind::unknown;
    };
    static constexpr std::size_t table_size = 128;      // a quarter full at most
    std::array<Entry, table_size> table{};

private:
    static BAREWIRE_INLINE std::size_t slot_of(PyTypeObject* type) noexcept {
        auto bits = reinterpret_cast<std::uintptr_t>(type) >> 4;
        return (bits ^ (bits >> 7)) & (table_size - 1);
    }
    BAREWIRE_COLD bool resolve_all();
    void enter(PyTypeObject* type, Kind kind) noexcept;
};

// The object held by a slot, borrowed; nullptr if it was never set.
BAREWIRE_INLINE PyObject* read_slot(PyObject* object, SlotOffset offset) noexcept {
    return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset);
}

// Gives the slot of a fresh object its value, taking over the reference.
BAREWIRE_INLINE void fill_slot(PyObject* object, SlotOffset offset, py::Ref value) noexcept {
    *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offset) = value.release();
}

}  // namespace barewire::walk
