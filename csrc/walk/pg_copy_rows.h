// Python rows -> COPY BINARY rows, or one array per column for unnest(); and COPY BINARY rows -> Python rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "py/python.h"
#include "py/ref.h"
#include "walk/bson_insert.h"
#include "walk/pg_encode.h"
#include "walk/pg_rows.h"
#include "wire/pg/reader.h"

namespace barewire::walk {

struct PgEncoder;

// A column that rows are written to. The name is the key in rows that are mappings.
struct PgColumn {
    const PgType* type = nullptr;
    py::Ref name;
    // The last key that was equal without being the same object; mappings of one source usually share their keys.
    py::Ref alias;
};

enum class PgRowsStop {
    exhausted,  // the source is empty
    full,       // the limit was reached
    failed      // Python error set, which names row and column
};

// Rows are tuples, lists, Records, dicts and other mappings, or any other iterables of values. The source hands them out one
// by one (see DocumentSource); it remembers how many were taken, so that errors count from the first one of all calls.
class PgRowWriter {
public:
    // With `extra_keys` a mapping may have keys that are no columns; else that is an error. A column that a mapping lacks
    // always is.
    PgRowWriter(std::vector<PgColumn> columns, bool extra_keys)
        : columns_(std::move(columns)), extra_keys_(extra_keys) {}

    const std::vector<PgColumn>& columns() const noexcept { return columns_; }
    // Appends rows in COPY BINARY format, without header and trailer, until `bytes` or more were appended.
    PgRowsStop append_rows(PgEncoding& encoding, DocumentSource& source, base::Buffer& out, std::size_t bytes);
    // What stands before the first and behind the last row of a stream. False if memory is out.
    [[nodiscard]] static bool append_header(base::Buffer& out) noexcept;
    [[nodiscard]] static bool append_trailer(base::Buffer& out) noexcept;

private:
    friend class PgColumnWriter;
    std::vector<PgColumn> columns_;
    bool extra_keys_;
};

// The same rows as one array per column, for unnest($1, ...) in FROM. Columns whose type is an array or a composite have no
// such form: unnest() would take the values themselves apart.
class PgColumnWriter {
public:
    PgColumnWriter(std::vector<PgColumn> columns, bool extra_keys);

    const std::vector<PgColumn>& columns() const noexcept { return rows_.columns(); }
    // Takes up to `rows` rows, or fewer once `bytes` or more were appended in all columns together.
    PgRowsStop append_rows(PgEncoding& encoding, DocumentSource& source, std::size_t rows, std::size_t bytes);
    // How many rows the arrays hold.
    std::size_t size() const noexcept { return count_; }
    // Completes the headers; the arrays can then be read from `array`, until the next `clear`.
    void finish() noexcept;
    const base::Buffer& array(std::size_t column) const noexcept { return arrays_[column]; }
    // Empties the arrays; they keep their memory. False if memory is out.
    [[nodiscard]] bool clear() noexcept;

private:
    PgRowWriter rows_;
    std::vector<base::Buffer> arrays_;
    std::vector<std::uint8_t> has_null_;
    std::size_t count_ = 0;
};

// Decodes a COPY BINARY stream that arrives in pieces of whole rows, as the server sends it.
class PgCopyDecoder {
public:
    // Appends the rows of one piece to a list. False with psycopg.DataError set if the stream is broken.
    [[nodiscard]] bool append_rows(PgDecoding& decoding, PgRowPlan& plan, PgShape shape, const std::uint8_t* data,
                                   std::size_t size, PyObject* list);
    // The trailer has been seen.
    bool ended() const noexcept { return ended_; }

private:
    bool started_ = false, ended_ = false;
    std::vector<wire::pg::Field> fields_;
};

}  // namespace barewire::walk
