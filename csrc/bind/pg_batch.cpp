// Batches: which statements they hold, and what became of each.
#include "bind/pg_batch.h"

#include <new>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "py/compat.h"

namespace barewire::bind {

using net::pg::Answer;
using net::pg::Next;
using py::Ref;

BatchCall* BatchCall::make(PyObject* connection, PyObject* items, PyObject* begin) {
    try {
        CallOwner<BatchCall> call(new BatchCall(connection));
        return call->read(items, begin) ? call.release() : nullptr;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return nullptr;
    }
}

bool BatchCall::read(PyObject* items, PyObject* begun) {
    // A copy: nobody can change it.
    items_ = Ref::steal(PySequence_Tuple(items));
    begin_ = Ref::share(begun);
    if (!items_) return false;
    const auto count = static_cast<std::size_t>(PyTuple_GET_SIZE(items_.get()));
    separate = begun == Py_None;
    if (!separate) {
        const char* text = nullptr;
        std::size_t size = 0;
        if (!statement_text(begun, text, size)) return false;
        begin.assign(text, size);
    }
    all_.resize(count);
    std::unordered_map<std::string_view, std::uint32_t> known;
    for (std::size_t i = 0; i < count; ++i) {
        int what = 0;
        PyObject *query = nullptr, *values = nullptr, *rows = nullptr;
        PyObject* item = PyTuple_GET_ITEM(items_.get(), static_cast<Py_ssize_t>(i));
        if (!PyTuple_Check(item) || !PyArg_ParseTuple(item, "iOO!O", &what, &query, &PyTuple_Type, &values, &rows)) {
            if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_TypeError, "an item of a batch must be a tuple");
            return false;
        }
        One& one = all_[i];
        one.values = values;
        one.outcome.what = static_cast<PgWhat>(what);
        one.outcome.shape = session().profile->shape;
        if (!read_shape(*session().profile->module, rows, one.outcome.shape)) return false;
        net::pg::StatementUse use;
        if (!statement_text(query, use.key.text, use.key.size)) return false;
        const auto [found, fresh] =
            known.try_emplace({use.key.text, use.key.size}, static_cast<std::uint32_t>(statements_.size()));
        one.use = found->second;
        if (fresh) statements_.push_back(use);
    }
    uses = statements_.data();
    use_count = statements_.size();
    return true;
}

PgCall* BatchCall::again() { return make(connection_.get(), items_.get(), begin_.get()); }

bool BatchCall::rewind(std::size_t from) noexcept {
    next_ = from == 0 ? 0 : sent_[from];
    sent_.resize(from);
    for (std::size_t i = next_; i < all_.size(); ++i) {
        all_[i].outcome.forget();
        all_[i].error.reset();
        all_[i].plan.reset();
    }
    return true;
}

Next BatchCall::next(net::pg::Item& item) noexcept {
    if (given_up()) return Next::refuse;
    if (doubted_ != none) {  // described again, so next_ is 0
        net::pg::StatementUse& use = statements_[all_[doubted_].use];
        const bool same = same_types(use);
        if (same) next_ = doubted_;
        doubted_ = none;
        if (same) return Next::refuse;
        use.doubted.clear();
        forget_error();
    }
    try {
        while (next_ < all_.size()) {
            if (write(item)) return given_up() ? Next::refuse : Next::item;
            const bool doubted = refused_values_ && doubts_types(session(), statements_[all_[next_].use]);
            if (!separate && doubted && !given_up()) {
                doubted_ = next_;
                keep_error();
                return Next::anew;
            }
            // Values that do not fit are this item's own error where each is on its own.
            if (!separate || given_up() || PyErr_Occurred() == nullptr || !PyErr_ExceptionMatches(PyExc_Exception)) break;
            all_[next_++].error = py::take_exception();
            item.parameters.clear();
        }
        if (next_ >= all_.size()) return Next::end;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    if (PyErr_Occurred() != nullptr) keep_error();
    return Next::refuse;
}

bool BatchCall::write(net::pg::Item& item) {
    PgSession& inner = session();
    refused_values_ = false;
    if (next_ == 0) {
        // All types first, so that nothing has been sent when one must be looked up.
        std::vector<std::uint32_t> unknown;
        for (std::size_t i = 0; i < statements_.size(); ++i) {
            if (use_error(i) != nullptr) continue;
            if (plan_of(inner, *statements_[i].statement, unknown) == nullptr && unknown.empty()) return false;
        }
        if (!unknown.empty()) {
            need_types(std::move(unknown));
            return false;
        }
    }
    One& one = all_[next_];
    if (use_error(one.use) != nullptr) {  // it is given to result()
        item.use = one.use;
        sent_.push_back(next_);
        item.last = ++next_ == all_.size();
        return true;
    }
    std::vector<std::uint32_t> unknown;
    StatementPlan* plan = plan_of(inner, *statements_[one.use].statement, unknown);
    if (plan == nullptr) {
        if (PyErr_Occurred() == nullptr) raise_psycopg("OperationalError", "a statement was described anew while it was sent");
        return false;
    }
    if (!check_count(inner, *plan, PyTuple_GET_SIZE(one.values), -1)) return false;
    item.use = one.use;
    item.binary_results = plan->binary_results;
    InsideLink mark(inner);
    if (!write_parameters(inner, *plan, PySequence_Fast_ITEMS(one.values), -1, item.parameters)) {
        refused_values_ = true;
        return false;
    }
    sent_.push_back(next_);
    item.last = ++next_ == all_.size();
    return true;
}

Answer BatchCall::result(std::size_t item, const net::pg::Statement& statement, const net::pg::Result& result) noexcept {
    if (given_up()) return Answer::stop;
    One& one = all_[sent_[item]];
    try {
        if (result.kind() == net::pg::ResultKind::error) {
            one.error = pg_server_error(*session().profile, result);
            if (one.error) return Answer::more;
        } else {
            StatementPlan* plan = plan_for(session(), statements_[one.use], statement, result, one.plan);
            if (plan != nullptr && one.outcome.take(session(), *this, *plan, result)) return Answer::more;
        }
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    if (separate) {  // a value that cannot be read is this item's own error
        one.error = py::take_exception();
        return Answer::more;
    }
    keep_error();
    return Answer::stop;
}

// A list of values and exceptions; None for what was not run.
Ref BatchCall::results(std::size_t run) {
    Ref list = Ref::steal(PyList_New(static_cast<Py_ssize_t>(all_.size())));
    for (std::size_t i = 0; list && i < all_.size(); ++i) {
        Ref made = all_[i].error ? std::move(all_[i].error) : i < run ? all_[i].outcome.value() : Ref::none();
        if (!made) return {};
        PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), made.release());
    }
    return list;
}

// batch_error(error, position, results, run) -> the exception to raise; from position `run` on nothing was run, but for
// the one that failed
void BatchCall::raise_first(Ref error, std::size_t position, std::size_t run) {
    Ref list = results(run);
    Ref place = Ref::steal(PyLong_FromSize_t(position)), count = Ref::steal(PyLong_FromSize_t(run));
    if (!list || !place || !count) return;
    PyObject* arguments[] = {error.get(), place.get(), list.get(), count.get()};
    Ref made = Ref::steal(PyObject_Vectorcall(session().profile->batch_error.get(), arguments, 4, nullptr));
    if (made) PyErr_SetObject(reinterpret_cast<PyObject*>(made.type()), made.get());
}

Ref BatchCall::value() {
    for (std::size_t i = 0; i < all_.size(); ++i) {
        if (!all_[i].error) continue;
        raise_first(all_[i].error.copy(), i, all_.size());
        return {};
    }
    return results(all_.size());
}

void BatchCall::raise() {
    Call::raise();
    const bool one_of_them = failure.kind == net::Failure::Kind::server || failure.kind == net::Failure::Kind::refused;
    if (!one_of_them || PyErr_Occurred() == nullptr) return;
    std::size_t position = failed_item < sent_.size() ? sent_[failed_item] : next_;
    std::size_t run = position;
    if (failed_use != none) {  // it could not be prepared, so nothing was run
        run = 0;
        for (position = 0; position < all_.size() && all_[position].use != failed_use; ++position) {
        }
    }
    if (position >= all_.size()) return;
    Ref error = py::take_exception();
    all_[position].error = error.copy();
    raise_first(std::move(error), position, run);
}

}  // namespace barewire::bind
