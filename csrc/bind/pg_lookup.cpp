// Looking types up in the catalogue; when this is needed is decided in pg_plan.cpp.
#include "bind/pg_lookup.h"

#include <new>
#include <utility>

#include "bind/pg_plan.h"
#include "py/compat.h"

namespace barewire::bind {

using py::Ref;

namespace {

constexpr std::uint32_t oid_array = 1028;
constexpr Py_ssize_t column_count = 9;

// Reads a column of one row that must be an int.
bool number(PyObject* value, std::uint32_t& out) {
    const unsigned long read = PyLong_AsUnsignedLong(value);
    if (read == static_cast<unsigned long>(-1) && PyErr_Occurred() != nullptr) return false;
    out = static_cast<std::uint32_t>(read);
    return true;
}

bool text(PyObject* value, std::string_view& out) {
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(value, &size);
    if (data == nullptr) return false;
    out = {data, static_cast<std::size_t>(size)};
    return true;
}

bool read_row(PyObject* row, walk::PgTypeRow& out) {
    if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != column_count) {
        PyErr_SetString(PyExc_TypeError, "the look-up of types gives rows of another form");
        return false;
    }
    std::string_view variety;
    if (!number(PyTuple_GET_ITEM(row, 0), out.oid) || !text(PyTuple_GET_ITEM(row, 1), out.name) ||
        !text(PyTuple_GET_ITEM(row, 2), variety) || !number(PyTuple_GET_ITEM(row, 4), out.element)) {
        return false;
    }
    out.variety = variety.empty() ? 'b' : variety[0];
    out.is_array = PyTuple_GET_ITEM(row, 3) == Py_True;
    PyObject *names = PyTuple_GET_ITEM(row, 5), *oids = PyTuple_GET_ITEM(row, 6);
    if (!PyList_Check(names) || !PyList_Check(oids)) return true;  // NULL: no composite
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names) && i < PyList_GET_SIZE(oids); ++i) {
        std::uint32_t oid = 0;
        if (!number(PyList_GET_ITEM(oids, i), oid)) return false;
        out.field_names.push_back(Ref::share(PyList_GET_ITEM(names, i)));
        out.field_oids.push_back(oid);
    }
    return true;
}

}  // namespace

TypeLookup* TypeLookup::make(PyObject* connection, const std::vector<std::uint32_t>& oids, int server_version) {
    PgSession& session = session_of(connection);
    Ref version = Ref::steal(PyLong_FromLong(server_version));
    Ref query = version ? Ref::steal(PyObject_CallOneArg(session.profile->lookup_query.get(), version.get())) : Ref();
    Ref list = Ref::steal(PyList_New(0));
    std::string_view query_text;
    if (!query || !list || !text(query.get(), query_text)) return nullptr;
    for (std::uint32_t oid : oids) {
        Ref number = Ref::steal(PyLong_FromUnsignedLong(oid));
        if (!number || PyList_Append(list.get(), number.get()) < 0) return nullptr;
    }
    try {
        CallOwner<TypeLookup> made(new TypeLookup(connection));
        made->text_.assign(query_text);
        made->use_.key.text = made->text_.c_str();
        made->use_.key.size = made->text_.size();
        made->uses = &made->use_;
        made->use_count = 1;
        made->oids_ = std::move(list);
        made->asked_ = oids;
        return made.release();
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return nullptr;
    }
}

net::pg::Next TypeLookup::next(net::pg::Item& item) noexcept {
    try {
        std::vector<std::uint32_t> unknown;
        StatementPlan* plan = plan_of(session(), *use_.statement, unknown);
        PyObject* values[] = {oids_.get()};
        if (plan == nullptr && !unknown.empty()) PyErr_SetString(PyExc_RuntimeError, "the catalogue has no built-in types");
        if (plan == nullptr || !check_count(session(), *plan, 1, -1) ||
            !write_parameters(session(), *plan, values, -1, item.parameters)) {
            keep_error();
            return net::pg::Next::refuse;
        }
        item.binary_results = plan->binary_results;
        item.last = true;
        item.chunk_rows = -1;
        return net::pg::Next::item;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        keep_error();
        return net::pg::Next::refuse;
    }
}

net::pg::Answer TypeLookup::result(std::size_t, const net::pg::Statement& statement, const net::pg::Result& result) noexcept {
    if (!rows_) rows_ = Ref::steal(PyList_New(0));
    auto& plan = *static_cast<StatementPlan*>(statement.plan.get());
    walk::PgDecoding decoding = session().decoding();
    if (rows_ && plan.rows->append_rows(decoding, cells_of(result), walk::PgShape::tuples, rows_.get())) {
        return net::pg::Answer::more;
    }
    keep_error();
    return net::pg::Answer::stop;
}

Ref TypeLookup::value() {
    std::vector<walk::PgTypeRow> types;
    std::vector<std::uint32_t> found;
    for (Py_ssize_t i = 0; rows_ && i < PyList_GET_SIZE(rows_.get()); ++i) {
        types.emplace_back();
        if (!read_row(PyList_GET_ITEM(rows_.get(), i), types.back())) return {};
        found.push_back(types.back().oid);
    }
    // What the catalogue does not know (any more) travels as text.
    for (std::uint32_t oid : asked_) {
        bool there = false;
        for (std::uint32_t one : found) there = there || one == oid;
        if (there) continue;
        types.emplace_back();
        types.back().oid = oid;
        types.back().name = "unknown";
    }
    session().profile->types->add(std::move(types));
    return Ref::none();
}

void TypeLookup::completed_on_loop() noexcept {
    if (next_ == nullptr) {  // somebody waits for it
        Call::completed_on_loop();
        return;
    }
    Ref outer = py::take_exception();
    Ref made;
    if (operation().failure) {
        raise();
    } else {
        try {
            made = value();
        } catch (const std::bad_alloc&) {
            PyErr_NoMemory();
        }
    }
    CallOwner<net::pg::Operation> owner = std::move(next_owner_);
    next_->looked_up(static_cast<bool>(made));
    py::restore_exception(std::move(outer));
}

}  // namespace barewire::bind
