// executemany: rows of parameters are taken from the iterable while earlier ones are on their way.
#include "bind/pg_many.h"

#include <new>
#include <utility>

#include "bind/pg_query.h"
#include "py/compat.h"

namespace barewire::bind {

using net::pg::Next;
using py::Ref;

ManyCall* ManyCall::make(PyObject* connection, PyObject* query, PyObject* rows) {
    net::pg::StatementUse use;
    if (!statement_text(query, use.key.text, use.key.size)) return nullptr;
    Ref iterator = Ref::steal(PyObject_GetIter(rows));
    if (!iterator) return nullptr;
    auto* call = new (std::nothrow) ManyCall(connection);
    if (call == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    call->query_ = Ref::share(query);
    call->rows_ = Ref::share(rows);
    call->iterator_ = std::move(iterator);
    call->use_ = use;
    call->uses = &call->use_;
    call->use_count = 1;
    return call;
}

PgCall* ManyCall::again() {
    // Types are asked for before the first row is taken, so the iterator is untouched.
    ManyCall* next = make(connection_.get(), query_.get(), iterator_.get());
    if (next != nullptr) {
        next->rows_ = std::move(rows_);
        next->refused_row_ = std::move(refused_row_);
    }
    return next;
}

bool ManyCall::rewind(std::size_t) noexcept {
    // Only what gives the same rows again.
    if (!PyList_CheckExact(rows_.get()) && !PyTuple_CheckExact(rows_.get())) return row_ == 0;
    Ref outer = py::take_exception();
    Ref anew = Ref::steal(PyObject_GetIter(rows_.get()));
    if (!anew) PyErr_Clear();
    py::restore_exception(std::move(outer));
    if (!anew) return false;
    iterator_ = std::move(anew);
    refused_row_.reset();
    row_ = 0;
    return true;
}

Next ManyCall::next(net::pg::Item& item) noexcept {
    if (given_up()) return Next::refuse;
    if (!use_.doubted.empty()) {
        if (same_types(use_)) return Next::refuse;
        use_.doubted.clear();
        forget_error();
    }
    bool ended = false, doubted = false;
    try {
        if (write(item, ended)) return given_up() ? Next::refuse : Next::item;
        doubted = !ended && doubts_types(session(), use_);
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    if (ended) return Next::end;
    if (PyErr_Occurred() != nullptr) keep_error();
    return doubted && !given_up() ? Next::anew : Next::refuse;
}

bool ManyCall::write(net::pg::Item& item, bool& ended) {
    PgSession& inner = session();
    std::vector<std::uint32_t> unknown;
    StatementPlan* plan = plan_of(inner, *use_.statement, unknown);
    if (plan == nullptr) {
        if (!unknown.empty()) need_types(std::move(unknown));
        return false;
    }
    InsideLink mark(inner);
    Ref row = refused_row_ ? std::move(refused_row_) : Ref::steal(PyIter_Next(iterator_.get()));
    if (!row) {
        ended = PyErr_Occurred() == nullptr;
        return false;
    }
    if (PyUnicode_Check(row.get()) || PyBytes_Check(row.get()) || !PySequence_Check(row.get())) {
        PyErr_Format(PyExc_TypeError, "row %lld: a sequence of parameters is needed, not %s", row_, row.type()->tp_name);
        return false;
    }
    Ref values = Ref::steal(PySequence_Tuple(row.get()));  // a list could change under user code
    if (!values || !check_count(inner, *plan, PyTuple_GET_SIZE(values.get()), row_)) return false;
    item.binary_results = plan->binary_results;
    if (!write_parameters(inner, *plan, PySequence_Fast_ITEMS(values.get()), row_, item.parameters)) {
        if (row_ == 0) refused_row_ = std::move(row);
        return false;
    }
    ++row_;
    return true;
}

void ManyCall::raise() {
    Call::raise();
    if (failure.kind != net::Failure::Kind::server || PyErr_Occurred() == nullptr) return;
    Ref raised = py::take_exception();
    Ref note = Ref::steal(PyUnicode_FromFormat("row %zu of executemany", failed_item));
    Ref added = note ? Ref::steal(PyObject_CallMethod(raised.get(), "add_note", "O", note.get())) : Ref();
    if (!added) PyErr_Clear();  // CPython 3.10 has no notes
    py::restore_exception(std::move(raised));
}

}  // namespace barewire::bind
