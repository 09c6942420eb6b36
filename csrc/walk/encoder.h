// State of one BSON encoding walk, shared by the files that write values; it has no public use.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/macros.h"
#include "py/fail.h"
#include "py/internals/recursion.h"
#include "py/python.h"
#include "walk/bson_encode.h"
#include "walk/kinds.h"
#include "walk/options.h"
#include "wire/bson/types.h"

namespace barewire::walk {

// Writes behind the end of the context's buffer with pointers of its own; the buffer learns the new size by `flush`.
struct Encoder {
    explicit Encoder(EncodeContext& context) noexcept
        : kinds(context.kinds), options(context.options), begin(context.out.size()), check_keys(context.check_keys),
          out_(context.out) {
        attach();
    }

    Kinds& kinds;
    const CodecOptions& options;
    std::size_t begin;              // where the document that is being written starts
    bool check_keys;
    std::uint64_t user_code = 0;    // counts places where user code may have run; unequal: re-read what was borrowed
    py::RecursionCounter recursion{" while encoding an object to BSON "};
    py::ErrorPath path;

    // Room for `extra` bytes; false with ValueError (over 2 GiB) or MemoryError set.
    [[nodiscard]] BAREWIRE_INLINE bool reserve(std::size_t extra) noexcept {
        if (BAREWIRE_LIKELY(static_cast<std::size_t>(limit_ - at_) >= extra)) return true;
        return grow(extra);
    }
    std::uint8_t* data() noexcept { return data_; }
    BAREWIRE_INLINE std::uint8_t* tail() noexcept { return at_; }
    BAREWIRE_INLINE void advance(std::size_t count) noexcept { at_ += count; }
    // `end` is a pointer behind `tail()` up to which bytes were written.
    BAREWIRE_INLINE void advance_to(std::uint8_t* end) noexcept { at_ = end; }
    // Bytes in the buffer, with those before this document.
    BAREWIRE_INLINE std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - data_); }

    BAREWIRE_INLINE void set_type(std::size_t type_at, wire::bson::Type type) noexcept {
        data_[type_at] = static_cast<std::uint8_t>(type);
    }
    BAREWIRE_INLINE void cut_back(std::size_t size) noexcept { at_ = data_ + size; }
    BAREWIRE_INLINE void flush() noexcept { out_.truncate(size()); }

    // Raises the ValueError of a document over 2 GiB.
    BAREWIRE_COLD static bool fail_size() noexcept;

private:
    BAREWIRE_COLD bool grow(std::size_t extra) noexcept;
    void attach() noexcept {
        data_ = out_.data();
        at_ = data_ + out_.size();
        limit_ = data_ + out_.capacity();
    }

    std::uint8_t* at_;
    std::uint8_t* limit_;
    std::uint8_t* data_;
    base::Buffer& out_;
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
[[nodiscard]] BAREWIRE_INLINE bool finish_document(Encoder& encoder, std::size_t start) {
    if (!encoder.reserve(1)) return false;
    *encoder.tail() = 0;
    encoder.advance(1);
    const std::size_t size = encoder.size() - start;
    if (BAREWIRE_UNLIKELY(size > wire::bson::max_document_size)) return encoder.fail_size();
    base::store_little(encoder.data() + start, static_cast<std::int32_t>(size));
    return true;
}

}  // namespace barewire::walk
