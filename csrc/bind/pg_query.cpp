// Single statements: parameters out, rows in. Who waits for them is in pg_call.cpp.
#include "bind/pg_query.h"

#include <cstring>
#include <new>
#include <utility>

#include "py/compat.h"

namespace barewire::bind {

using net::pg::Answer;
using net::pg::Next;
using py::Ref;

bool statement_text(PyObject* query, const char*& text, std::size_t& size) {
    if (!PyUnicode_Check(query)) {
        PyErr_Format(PyExc_TypeError, "a statement must be a str, not %s", Py_TYPE(query)->tp_name);
        return false;
    }
    Py_ssize_t length = 0;
    text = PyUnicode_AsUTF8AndSize(query, &length);
    if (text == nullptr) return false;
    size = static_cast<std::size_t>(length);
    if (std::memchr(text, 0, size) != nullptr) {
        raise_psycopg("ProgrammingError", "a statement must not hold a NUL character");
        return false;
    }
    return true;
}

// --- results -----------------------------------------------------------------------------------------------------------
bool PgOutcome::take(PgSession& session, const net::pg::Operation& operation, StatementPlan& plan,
                     const net::pg::Result& result) {
    if (what == PgWhat::status) {
        if (!result.complete()) return true;
        const std::string_view tag = result.command_tag();
        kept_ = Ref::steal(PyUnicode_DecodeUTF8(tag.data(), static_cast<Py_ssize_t>(tag.size()), "replace"));
        return static_cast<bool>(kept_);
    }
    if (what == PgWhat::rows && !kept_) {
        kept_ = Ref::steal(PyList_New(0));
        if (!kept_) return false;
    }
    if (result.rows() == 0) return true;
    if (plan.zoned && !session.update_timezone(operation)) return false;
    InsideLink mark(session);
    walk::PgDecoding decoding = session.decoding();
    const walk::PgCells cells = cells_of(result);
    if (what == PgWhat::rows) return plan.rows->append_rows(decoding, cells, shape, kept_.get());
    if (kept_) return true;
    if (what == PgWhat::row) {
        kept_ = plan.rows->row(decoding, cells, 0, shape);
    } else if (column < 0 || column >= result.columns()) {
        PyErr_Format(PyExc_IndexError, "the result has %d columns, there is none at %zd", result.columns(), column);
    } else if (column == 0) {
        kept_ = plan.rows->row(decoding, cells, 0, walk::PgShape::first);
    } else {
        Ref row = plan.rows->row(decoding, cells, 0, walk::PgShape::tuples);
        if (row) kept_ = Ref::share(PyTuple_GET_ITEM(row.get(), column));
    }
    return static_cast<bool>(kept_);
}

Ref PgOutcome::value() {
    if (kept_) return std::move(kept_);
    if (what == PgWhat::status) return Ref::steal(PyUnicode_FromString(""));  // an empty statement
    return what == PgWhat::rows ? Ref::steal(PyList_New(0)) : Ref::none();
}

StatementPlan* plan_for(PgSession& session, const net::pg::StatementUse& use, const net::pg::Statement& statement,
                        const net::pg::Result& result, std::unique_ptr<StatementPlan>& own) {
    if (statement.plan) return static_cast<StatementPlan*>(statement.plan.get());
    if (!use.once && use.statement == &statement) {
        // Described anew since the parameters were written.
        std::vector<std::uint32_t> unknown;
        StatementPlan* plan = plan_of(session, *use.statement, unknown);
        if (plan != nullptr || unknown.empty()) return plan;
    }
    if (!own) own = plan_of_result(session, result);
    return own.get();
}

// --- one statement -----------------------------------------------------------------------------------------------------
QueryCall* QueryCall::make(PyObject* connection, PyObject* query, PyObject* const* values, Py_ssize_t count, bool once) {
    net::pg::StatementUse use;
    if (!statement_text(query, use.key.text, use.key.size)) return nullptr;
    use.once = once;
    Ref held = Ref::steal(PyTuple_New(count));
    if (!held) return nullptr;
    for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(held.get(), i, Ref::share(values[i]).release());
    auto* call = new (std::nothrow) QueryCall(connection);
    if (call == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    call->query_ = Ref::share(query);
    call->values_ = std::move(held);
    call->use_ = use;
    call->uses = &call->use_;
    call->use_count = 1;
    return call;
}

PgCall* QueryCall::again() {
    QueryCall* next = make(connection_.get(), query_.get(), PySequence_Fast_ITEMS(values_.get()),
                           PyTuple_GET_SIZE(values_.get()), use_.once);
    if (next == nullptr) return nullptr;
    next->outcome = std::move(outcome);
    next->text_results = text_results;
    next->only_describe = only_describe;
    return next;
}

Next QueryCall::next(net::pg::Item& item) noexcept {
    if (written_) return Next::end;
    if (given_up()) return Next::refuse;
    if (!use_.doubted.empty()) {
        if (same_types(use_)) return Next::refuse;
        use_.doubted.clear();
        forget_error();
    }
    try {
        if (!write(item)) {
            if (PyErr_Occurred() == nullptr) return Next::refuse;
            const bool doubted = doubts_types(session(), use_);
            keep_error();
            return doubted && !given_up() ? Next::anew : Next::refuse;
        }
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        keep_error();
        return Next::refuse;
    }
    if (only_describe) return Next::end;
    written_ = true;
    item.last = true;
    return given_up() ? Next::refuse : Next::item;
}

bool QueryCall::write(net::pg::Item& item) {
    PgSession& inner = session();
    const Py_ssize_t given = PyTuple_GET_SIZE(values_.get());
    if (use_.once) {
        item.binary_results = !text_results;
        return true;
    }
    std::vector<std::uint32_t> unknown;
    StatementPlan* plan = plan_of(inner, *use_.statement, unknown);
    if (plan == nullptr) {
        if (!unknown.empty()) need_types(std::move(unknown));
        return false;
    }
    if (only_describe) return describe(*use_.statement, *plan);
    if (!check_count(inner, *plan, given, -1)) return false;
    item.binary_results = plan->binary_results;
    if (given == 0) return true;
    InsideLink mark(inner);
    return write_parameters(inner, *plan, PySequence_Fast_ITEMS(values_.get()), -1, item.parameters);
}

bool QueryCall::describe(const net::pg::Statement& statement, const StatementPlan& plan) {
    const auto parameters = static_cast<Py_ssize_t>(statement.parameter_types.size());
    const auto columns = static_cast<Py_ssize_t>(statement.columns.size());
    Ref oids = Ref::steal(PyTuple_New(parameters)), pairs = Ref::steal(PyTuple_New(columns));
    if (!oids || !pairs) return false;
    for (Py_ssize_t i = 0; i < parameters; ++i) {
        PyObject* oid = PyLong_FromUnsignedLong(statement.parameter_types[static_cast<std::size_t>(i)]);
        if (oid == nullptr) return false;
        PyTuple_SET_ITEM(oids.get(), i, oid);
    }
    for (Py_ssize_t i = 0; i < columns; ++i) {
        const auto at = static_cast<std::size_t>(i);
        PyObject* pair = Py_BuildValue("(Ok)", plan.rows->names()[at].get(), static_cast<unsigned long>(statement.columns[at].type));
        if (pair == nullptr) return false;
        PyTuple_SET_ITEM(pairs.get(), i, pair);
    }
    description_ = Ref::steal(PyTuple_Pack(3, oids.get(), pairs.get(), plan.binary_results ? Py_True : Py_False));
    return static_cast<bool>(description_);
}

Answer QueryCall::result(std::size_t, const net::pg::Statement& statement, const net::pg::Result& result) noexcept {
    if (given_up()) return Answer::stop;
    try {
        StatementPlan* plan = plan_for(session(), use_, statement, result, own_plan_);
        if (plan != nullptr && outcome.take(session(), *this, *plan, result)) return given_up() ? Answer::stop : Answer::more;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    keep_error();
    return Answer::stop;
}

Ref QueryCall::value() { return only_describe ? std::move(description_) : outcome.value(); }

}  // namespace barewire::bind
