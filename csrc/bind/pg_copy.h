// COPY both ways: blocks or rows into the server, blocks or rows out of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "bind/pg_call.h"
#include "bind/pg_plan.h"
#include "bind/pg_row_source.h"
#include "py/guard.h"
#include "walk/pg_copy_rows.h"

namespace barewire::bind {

class CopyInCall final : public Call<net::pg::CopyIn> {
public:
    // `blocks`: an iterable of bytes-like objects. nullptr with a Python error set.
    static CopyInCall* of_blocks(PyObject* connection, PyObject* statement, PyObject* blocks);
    // `records`: an iterable of tuples, lists or dicts, written as COPY BINARY. `oids`: types of the columns, `columns`:
    // their names, by which dicts are read. A PgRowSource: the rows of its part.
    static CopyInCall* of_records(PyObject* connection, PyObject* statement, PyObject* oids, PyObject* columns,
                                  PyObject* records);

    net::pg::Next block(const std::uint8_t*& data, std::size_t& size) noexcept override;

private:
    using Call::Call;
    static CopyInCall* make(PyObject* connection, PyObject* statement);
    py::Ref value() override;
    net::pg::Next take_block(const std::uint8_t*& data, std::size_t& size);
    net::pg::Next take_records(const std::uint8_t*& data, std::size_t& size);

    [[nodiscard]] bool set_records(PyObject* records);
    walk::PgRowsStop write_rows(walk::PgEncoding& encoding);

    py::Ref statement_;
    // Blocks
    py::Ref iterator_, viewed_;
    std::unique_ptr<py::BufferView> view_;
    // Records
    std::unique_ptr<walk::PgRowWriter> writer_;
    walk::DocumentSource source_;
    py::Ref part_object_;
    RowPart* part_ = nullptr;   // instead of `source_`
    base::Buffer buffer_;
    bool begun_ = false, ended_ = false;
};

// Columns of a table from their type oids and names; types that are not known are opaque ones. False with a Python error set.
[[nodiscard]] bool read_columns(PgSession& session, PyObject* oids, PyObject* names, std::vector<walk::PgColumn>& out);

class CopyOutCall final : public Call<net::pg::CopyOut> {
public:
    // `output`: called with each block as bytes; None: with `columns` (a tuple of (name, oid)) the rows of COPY BINARY as a
    // list, without them all blocks as one bytes object. nullptr with a Python error set.
    static CopyOutCall* make(PyObject* connection, PyObject* statement, PyObject* output, PyObject* columns, PyObject* rows);

    net::pg::Answer data(const std::uint8_t* bytes, std::size_t size) noexcept override;

private:
    using Call::Call;
    py::Ref value() override;
    bool set_columns(PyObject* columns);
    bool take_rows(const std::uint8_t* bytes, std::size_t size);
    bool hand_over();

    py::Ref statement_, output_, list_;
    std::unique_ptr<walk::PgRowPlan> plan_;
    walk::PgCopyDecoder decoder_;
    walk::PgShape shape_ = walk::PgShape::tuples;
    bool zoned_ = false, begun_ = false;
    base::Buffer gathered_;
};

}  // namespace barewire::bind
