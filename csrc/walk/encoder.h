// State of one BSON encoding walk, shared by the files that write values; it has no public use.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/macros.h"
#include "py/fail.h"
#include "py/python.h"
#include "walk/bson_encode.h"
#include "walk/kinds.h"
#include "walk/options.h"
#include "wire/bson/types.h"

namespace barewire::walk {

struct Encoder {
    explicit Encoder(EncodeContext& context) noexcept
        : kinds(context.kinds), options(context.options), out(context.out), begin(context.out.size()),
          check_keys(context.check_keys) {}

    Kinds& kinds;
    const CodecOptions& options;
    base::Buffer& out;
    std::size_t begin;              // where the outermost document starts in `out`
    bool check_keys;
    std::uint64_t user_code = 0;    // counts places where user code may have run; unequal: re-read what was borrowed
    py::ErrorPath path;

    // Room for `extra` bytes; false with ValueError (over 2 GiB) or MemoryError set.
    [[nodiscard]] BAREWIRE_INLINE bool reserve(std::size_t extra) noexcept {
        if (BAREWIRE_LIKELY(out.capacity() - out.size() >= extra)) return true;
        return grow(extra);
    }
    BAREWIRE_COLD bool grow(std::size_t extra) noexcept;

    void set_type(std::size_t type_at, wire::bson::Type type) noexcept {
        out.data()[type_at] = static_cast<std::uint8_t>(type);
    }
};

// Appends the value of an element whose key is in place already and whose type byte at `type_at` is still to be written.
// Every kind of value is accepted; recursion is guarded.
[[nodiscard]] bool write_value(Encoder& encoder, std::size_t type_at, PyObject* value);

// Appends a mapping or raw document with its length prefix and terminator. `top_level` as in `bson`: "_id" first,
// and InvalidDocument gets its prefix and `document`.
[[nodiscard]] bool write_document(Encoder& encoder, PyObject* document, bool top_level);

// Appends the elements of an exact dict or a subclass. With `skip_id` the key "_id" is left out.
[[nodiscard]] bool write_dict_elements(Encoder& encoder, PyObject* dict, bool skip_id);

// Appends an array of the items of a list or tuple.
[[nodiscard]] bool write_array(Encoder& encoder, PyObject* sequence);

// Appends type byte, key and value; used where keys do not come from a dict walk. With `skip_id` the key "_id" is left out.
[[nodiscard]] bool write_pair(Encoder& encoder, PyObject* key, PyObject* value, bool skip_id);
[[nodiscard]] bool write_named(Encoder& encoder, const char* key, std::size_t size, PyObject* value);

// Appends the terminator of a document or array that starts at `start` and fills in its length.
[[nodiscard]] bool finish_document(Encoder& encoder, std::size_t start);

}  // namespace barewire::walk
