// State of one walk that writes PostgreSQL values, shared by the files that write them; it has no public use.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/macros.h"
#include "py/fail.h"
#include "py/internals/recursion.h"
#include "py/python.h"
#include "walk/pg_encode.h"
#include "wire/pg/writer.h"

namespace barewire::walk {

// Writes behind the end of a buffer with pointers of its own; the buffer learns the new size by `flush`.
struct PgEncoder {
    PgEncoder(PgEncoding& encoding, base::Buffer& out) noexcept
        : kinds(encoding.kinds), types(encoding.types), settings(encoding.settings), out_(out) {
        attach();
    }

    PgKinds& kinds;
    const PgTypes& types;
    const PgSettings& settings;
    std::uint64_t user_code = 0;  // counts places where user code may have run; unequal: re-read what was borrowed
    py::RecursionCounter recursion{" while encoding a PostgreSQL value"};
    py::ErrorPath path;
    bool own_error = false;       // the error that is set was raised by the codec: its text gets the place as prefix

    // Room for `extra` bytes; false with MemoryError set.
    [[nodiscard]] BAREWIRE_INLINE bool reserve(std::size_t extra) noexcept {
        if (BAREWIRE_LIKELY(static_cast<std::size_t>(limit_ - at_) >= extra)) return true;
        return grow(extra);
    }
    std::uint8_t* data() noexcept { return data_; }
    BAREWIRE_INLINE std::uint8_t* tail() noexcept { return at_; }
    BAREWIRE_INLINE void advance(std::size_t count) noexcept { at_ += count; }
    // `end` is a pointer behind `tail()` up to which bytes were written.
    BAREWIRE_INLINE void advance_to(std::uint8_t* end) noexcept { at_ = end; }
    BAREWIRE_INLINE std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - data_); }
    BAREWIRE_INLINE void cut_back(std::size_t size) noexcept { at_ = data_ + size; }
    BAREWIRE_INLINE void flush() noexcept { out_.truncate(size()); }
    // The buffer itself, for a function that appends to it; `attach` afterwards.
    base::Buffer& flushed() noexcept {
        flush();
        return out_;
    }
    void attach() noexcept {
        data_ = out_.data();
        at_ = data_ + out_.size();
        limit_ = data_ + out_.capacity();
    }

private:
    BAREWIRE_COLD bool grow(std::size_t extra) noexcept;

    std::uint8_t* data_;
    std::uint8_t* at_;
    std::uint8_t* limit_;
    base::Buffer& out_;
};

// Gives the error that is set its place: as prefix of its text if it is ours, else as a note.
void locate_pg_error(PgEncoder& encoder, const PgOrigin& origin);

// All of these return false with a Python error set.

// Appends a value that is not None, without length prefix.
[[nodiscard]] bool write_pg_value(PgEncoder& encoder, const PgType& type, PyObject* value);
// Appends int32 length and value; None becomes -1.
[[nodiscard]] bool write_pg_field(PgEncoder& encoder, const PgType& type, PyObject* value);

// Fills in the length of a field whose prefix of four bytes is at `start`.
[[nodiscard]] bool finish_pg_field(PgEncoder& encoder, const PgType& type, std::size_t start);

// Numbers: the value of an object that is no exact int or float, or does not fit.
[[nodiscard]] bool pg_integer(PgEncoder& encoder, const PgType& type, PyObject* value, std::int64_t& number);
[[nodiscard]] bool pg_float(PgEncoder& encoder, const PgType& type, PyObject* value, double& number);
[[nodiscard]] bool write_pg_uint8(PgEncoder& encoder, const PgType& type, PyObject* value);
[[nodiscard]] bool write_pg_numeric(PgEncoder& encoder, const PgType& type, PyObject* value);
[[nodiscard]] bool write_pg_money(PgEncoder& encoder, const PgType& type, PyObject* value);

// Text and bytes. The first takes a str only, and writes it in the client's encoding.
[[nodiscard]] bool write_pg_str(PgEncoder& encoder, const PgType& type, PyObject* text);
[[nodiscard]] bool write_pg_text(PgEncoder& encoder, const PgType& type, PyObject* value);
[[nodiscard]] bool write_pg_bytea(PgEncoder& encoder, const PgType& type, PyObject* value);
[[nodiscard]] bool write_pg_enumeration(PgEncoder& encoder, const PgType& type, PyObject* value);
[[nodiscard]] bool write_pg_json(PgEncoder& encoder, const PgType& type, PyObject* value);
[[nodiscard]] bool write_pg_text_form(PgEncoder& encoder, const PgType& type, PyObject* value);

// Date and time.
[[nodiscard]] bool write_pg_clock(PgEncoder& encoder, const PgType& type, PyObject* value);

// uuid, addresses, and values whose Python form is the server's text (bits, macaddr, geometric types, tid, pg_lsn).
[[nodiscard]] bool write_pg_uuid(PgEncoder& encoder, const PgType& type, PyObject* value);
[[nodiscard]] bool write_pg_network(PgEncoder& encoder, const PgType& type, PyObject* value);
[[nodiscard]] bool write_pg_spelled(PgEncoder& encoder, const PgType& type, PyObject* value);

// Values that hold others.
[[nodiscard]] bool write_pg_array(PgEncoder& encoder, const PgType& type, PyObject* value);
[[nodiscard]] bool write_pg_range(PgEncoder& encoder, const PgType& type, PyObject* value);
[[nodiscard]] bool write_pg_multirange(PgEncoder& encoder, const PgType& type, PyObject* value);
[[nodiscard]] bool write_pg_composite(PgEncoder& encoder, const PgType& type, PyObject* value);
[[nodiscard]] bool write_pg_hstore(PgEncoder& encoder, const PgType& type, PyObject* value);

// Errors. Each returns false with the error set.
// "expected `what` for `type`, got `class of value`"
BAREWIRE_COLD bool fail_pg_type(PgEncoder& encoder, const PgType& type, PyObject* value, const char* what);
// "`type` cannot hold this value: `what`"
BAREWIRE_COLD bool fail_pg_value(PgEncoder& encoder, const PgType& type, const char* what);
// The same with NumericValueOutOfRange.
BAREWIRE_COLD bool fail_pg_range(PgEncoder& encoder, const PgType& type, const char* what);
// Turns the error that is set into a DataError with this text if it is a plain ValueError, TypeError or OverflowError.
BAREWIRE_COLD bool fail_pg_caught(PgEncoder& encoder, const PgType& type, const char* what);

}  // namespace barewire::walk
