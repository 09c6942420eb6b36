// Rows gathered column by column into arrays, a chunk per message, while earlier chunks are on their way.
#include "bind/pg_unnest.h"

#include <new>
#include <utility>

#include "bind/pg_copy.h"
#include "bind/pg_plan.h"
#include "py/compat.h"

namespace barewire::bind {

using net::pg::Answer;
using net::pg::Next;
using py::Ref;

namespace {

constexpr std::size_t chunk_rows = 10000, chunk_bytes = std::size_t{1} << 20;

}  // namespace

UnnestCall* UnnestCall::make(PyObject* connection, PyObject* statement, PyObject* oids, PyObject* columns, PyObject* records) {
    try {
        net::pg::StatementUse use;
        if (!statement_text(statement, use.key.text, use.key.size)) return nullptr;
        CallOwner<UnnestCall> call(new UnnestCall(connection));
        std::vector<walk::PgColumn> made;
        if (!read_columns(session_of(connection), oids, columns, made)) return nullptr;
        call->part_ = row_part_of(*session_of(connection).profile->module, records);
        if (call->part_ != nullptr) {
            call->part_object_ = Ref::share(records);
        } else if (!call->source_.open(records)) {
            return nullptr;
        }
        call->writer_ = std::make_unique<walk::PgColumnWriter>(std::move(made), true);
        call->list_ = Ref::steal(PyList_New(0));
        if (!call->list_) return nullptr;
        call->statement_ = Ref::share(statement);
        call->use_ = use;
        call->uses = &call->use_;
        call->use_count = 1;
        return call.release();
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return nullptr;
    }
}

PgCall* UnnestCall::again() {
    // Types are asked for before the first row is taken.
    auto* next = new (std::nothrow) UnnestCall(connection_.get());
    if (next == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    next->statement_ = std::move(statement_);
    next->list_ = std::move(list_);
    next->use_.key = use_.key;
    next->uses = &next->use_;
    next->use_count = 1;
    next->writer_ = std::move(writer_);
    next->source_ = std::move(source_);
    next->part_object_ = std::move(part_object_);
    next->part_ = part_;
    next->shape = shape;
    return next;
}

Next UnnestCall::next(net::pg::Item& item) noexcept {
    if (given_up()) return Next::refuse;
    bool ended = false;
    try {
        if (write(item, ended)) return given_up() ? Next::refuse : Next::item;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    if (ended) return Next::end;
    if (PyErr_Occurred() != nullptr) keep_error();
    return Next::refuse;
}

bool UnnestCall::write(net::pg::Item& item, bool& ended) {
    PgSession& inner = session();
    std::vector<std::uint32_t> unknown;
    StatementPlan* plan = plan_of(inner, *use_.statement, unknown);
    if (plan == nullptr) {
        if (!unknown.empty()) need_types(std::move(unknown));
        return false;
    }
    if (exhausted_) {
        ended = true;
        return false;
    }
    if (!check_count(inner, *plan, static_cast<Py_ssize_t>(writer_->columns().size()), -1)) return false;
    InsideLink mark(inner);
    if (!writer_->clear()) throw std::bad_alloc();
    const walk::PgRowsStop stop = take_rows();
    if (stop == walk::PgRowsStop::failed) return false;
    exhausted_ = stop == walk::PgRowsStop::exhausted;
    if (writer_->size() == 0) {
        ended = true;
        return false;
    }
    writer_->finish();
    for (std::size_t i = 0; i < writer_->columns().size(); ++i) {
        const base::Buffer& array = writer_->array(i);
        const std::size_t from = item.parameters.bytes.size();
        if (!item.parameters.bytes.append(array.data(), array.size()) || !item.parameters.add(from)) throw std::bad_alloc();
    }
    item.binary_results = plan->binary_results;
    item.last = exhausted_;
    return true;
}

walk::PgRowsStop UnnestCall::take_rows() {
    walk::PgEncoding encoding = session().encoding();
    if (part_ == nullptr) return writer_->append_rows(encoding, source_, chunk_rows, chunk_bytes);
    SharedRows& rows = *part_->rows;
    if (rows.exhausted && !rows.stopped) return walk::PgRowsStop::exhausted;
    RowTurn turn(*part_);
    if (!turn.enter(false)) return walk::PgRowsStop::failed;
    const walk::PgRowsStop stop = writer_->append_rows(encoding, rows.source, chunk_rows, chunk_bytes);
    if (stop == walk::PgRowsStop::exhausted) rows.exhausted = true;
    if (stop == walk::PgRowsStop::failed) rows.stopped = true;
    return stop;
}

Answer UnnestCall::result(std::size_t item, const net::pg::Statement& statement, const net::pg::Result& result) noexcept {
    if (given_up()) return Answer::stop;
    try {
        PgSession& inner = session();
        if (part_ != nullptr && item < part_->takes.size()) part_->takes[item].returned += static_cast<std::size_t>(result.rows());
        StatementPlan* plan = plan_for(inner, use_, statement, result, own_plan_);
        if (plan != nullptr && (!plan->zoned || inner.update_timezone(*this))) {
            InsideLink mark(inner);
            walk::PgDecoding decoding = inner.decoding();
            if (result.rows() == 0 || plan->rows->append_rows(decoding, cells_of(result), shape, list_.get())) {
                return given_up() ? Answer::stop : Answer::more;
            }
        }
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    keep_error();
    return Answer::stop;
}

Ref UnnestCall::value() { return std::move(list_); }

}  // namespace barewire::bind
