// INSERT ... SELECT unnest($1, $2, ...) with one array per column: many rows in few messages, all or nothing.
#pragma once

#include <memory>

#include "bind/pg_call.h"
#include "bind/pg_query.h"
#include "bind/pg_row_source.h"
#include "walk/pg_copy_rows.h"

namespace barewire::bind {

class UnnestCall final : public Call<net::pg::Execution> {
public:
    // `oids` and `columns` as for CopyInCall::of_records; the statement has one array parameter per column, in this order.
    // nullptr with a Python error set.
    static UnnestCall* make(PyObject* connection, PyObject* statement, PyObject* oids, PyObject* columns, PyObject* records);

    // What RETURNING gives: rows of this shape, or values of a lone column (PgShape::first).
    walk::PgShape shape = walk::PgShape::tuples;

    net::pg::Next next(net::pg::Item& item) noexcept override;
    net::pg::Answer result(std::size_t item, const net::pg::Statement& statement,
                           const net::pg::Result& result) noexcept override;

private:
    using Call::Call;
    py::Ref value() override;
    PgCall* again() override;
    // False: refused, or with `ended` at the end.
    bool write(net::pg::Item& item, bool& ended);
    walk::PgRowsStop take_rows();

    py::Ref statement_, list_;
    net::pg::StatementUse use_;
    std::unique_ptr<walk::PgColumnWriter> writer_;
    walk::DocumentSource source_;
    py::Ref part_object_;
    RowPart* part_ = nullptr;   // instead of `source_`; a take per item
    std::unique_ptr<StatementPlan> own_plan_;
    bool exhausted_ = false;
};

}  // namespace barewire::bind
