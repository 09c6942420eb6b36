// What the methods of PostgreSQL connections that run something take, and which operation each becomes.
#include "bind/pg_methods.h"

#include <array>

#include "bind/args.h"
#include "bind/pg_batch.h"
#include "bind/pg_copy.h"
#include "bind/pg_lookup.h"
#include "bind/pg_many.h"
#include "bind/pg_query.h"
#include "bind/pg_script.h"
#include "bind/pg_types.h"
#include "bind/pg_unnest.h"

namespace barewire::bind {

using py::Ref;

namespace {

// --- statements --------------------------------------------------------------------------------------------------------
// (query, *values, timeout=None, rows=None, column=0, text=False)
struct Keywords {
    PyObject *timeout = nullptr, *rows = nullptr, *column = nullptr, *text = nullptr;
};

bool read_keywords(const char* function, PyObject* const* values, PyObject* names, bool rows, bool column, Keywords& out) {
    const Py_ssize_t count = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* name = PyTuple_GET_ITEM(names, i);
        if (PyUnicode_CompareWithASCIIString(name, "timeout") == 0) {
            out.timeout = values[i];
        } else if (rows && PyUnicode_CompareWithASCIIString(name, "rows") == 0) {
            out.rows = values[i];
        } else if (column && PyUnicode_CompareWithASCIIString(name, "column") == 0) {
            out.column = values[i];
        } else if (rows && PyUnicode_CompareWithASCIIString(name, "text") == 0) {
            out.text = values[i];
        } else {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", function, name);
            return false;
        }
    }
    return true;
}

PyObject* query(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names, const char* function,
                PgWhat what, bool once) {
    if (given < 1) {
        PyErr_Format(PyExc_TypeError, "%s() missing required argument: 'query'", function);
        return nullptr;
    }
    Keywords keywords;
    if (!read_keywords(function, arguments + given, names, what == PgWhat::rows || what == PgWhat::row,
                       what == PgWhat::value, keywords)) {
        return nullptr;
    }
    PgSession& session = session_of(self);
    CallOwner<QueryCall> call(QueryCall::make(self, arguments[0], arguments + 1, given - 1, once));
    if (!call) return nullptr;
    call->outcome.what = what;
    call->outcome.shape = session.profile->shape;
    if (!read_shape(*session.profile->module, keywords.rows, call->outcome.shape) || !call->set_timeout(keywords.timeout)) {
        return nullptr;
    }
    if (keywords.column != nullptr) {
        call->outcome.column = PyNumber_AsSsize_t(keywords.column, PyExc_IndexError);
        if (call->outcome.column == -1 && PyErr_Occurred() != nullptr) return nullptr;
    }
    call->text_results = keywords.text == Py_True;
    return call->go();
}

}  // namespace

PyObject* pg_fetch(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    return query(self, arguments, given, names, "fetch", PgWhat::rows, false);
}
PyObject* pg_fetchrow(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    return query(self, arguments, given, names, "fetchrow", PgWhat::row, false);
}
PyObject* pg_fetchval(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    return query(self, arguments, given, names, "fetchval", PgWhat::value, false);
}
PyObject* pg_execute(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    if (given == 1 && PyUnicode_Check(arguments[0])) {
        if (holds_several(arguments[0])) {
            Keywords keywords;
            if (!read_keywords("execute", arguments + given, names, false, false, keywords)) return nullptr;
            CallOwner<ScriptCall> call(ScriptCall::make(self, arguments[0]));
            if (!call || !call->set_timeout(keywords.timeout)) return nullptr;
            return call->go();
        }
        return query(self, arguments, given, names, "execute", PgWhat::status, true);
    }
    return query(self, arguments, given, names, "execute", PgWhat::status, false);
}
namespace {

PyObject* execute_prepared(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    return query(self, arguments, given, names, "execute", PgWhat::status, false);
}
PyObject* fetch_once(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    return query(self, arguments, given, names, "fetch", PgWhat::rows, true);
}

PyObject* describe(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    static constexpr Parameters<2> parameters{"_describe", {"query", "timeout"}, 1};
    std::array<PyObject*, 2> values;
    if (!parse_arguments(parameters, arguments, given, names, values)) return nullptr;
    CallOwner<QueryCall> call(QueryCall::make(self, values[0], nullptr, 0, false));
    if (!call || !call->set_timeout(values[1])) return nullptr;
    call->only_describe = true;
    return call->go();
}

PyObject* unknown_types(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    static constexpr Parameters<1> parameters{"_unknown_types", {"oids"}, 1};
    std::array<PyObject*, 1> values;
    if (!parse_arguments(parameters, arguments, given, names, values)) return nullptr;
    Ref oids = Ref::steal(PySequence_Tuple(values[0])), unknown = Ref::steal(PyList_New(0));
    if (!oids || !unknown) return nullptr;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(oids.get()); ++i) {
        PyObject* oid = PyTuple_GET_ITEM(oids.get(), i);
        const unsigned long number = PyLong_AsUnsignedLong(oid);
        if (number == static_cast<unsigned long>(-1) && PyErr_Occurred() != nullptr) return nullptr;
        if (session_of(self).profile->types->find(static_cast<std::uint32_t>(number)) != nullptr) continue;
        if (PyList_Append(unknown.get(), oid) < 0) return nullptr;
    }
    return unknown.release();
}

PyObject* learn_types(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    static constexpr Parameters<2> parameters{"_learn_types", {"oids", "timeout"}, 1};
    std::array<PyObject*, 2> values;
    if (!parse_arguments(parameters, arguments, given, names, values)) return nullptr;
    Ref oids = Ref::steal(PySequence_Tuple(values[0]));
    if (!oids || !session_of(self).usable()) return nullptr;
    std::vector<std::uint32_t> numbers;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(oids.get()); ++i) {
        const unsigned long number = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(oids.get(), i));
        if (number == static_cast<unsigned long>(-1) && PyErr_Occurred() != nullptr) return nullptr;
        numbers.push_back(static_cast<std::uint32_t>(number));
    }
    CallOwner<TypeLookup> call(TypeLookup::make(self, numbers, session_of(self).link->server_version()));
    if (!call || !call->set_timeout(values[1])) return nullptr;
    return call->go();
}

PyObject* executemany(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    static constexpr Parameters<3> parameters{"executemany", {"query", "args", "timeout"}, 2};
    std::array<PyObject*, 3> values;
    if (!parse_arguments(parameters, arguments, given, names, values)) return nullptr;
    CallOwner<ManyCall> call(ManyCall::make(self, values[0], values[1]));
    if (!call || !call->set_timeout(values[2])) return nullptr;
    return call->go();
}

PyObject* batch(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    static constexpr Parameters<3> parameters{"_batch", {"items", "begin", "timeout"}, 2};
    std::array<PyObject*, 3> values;
    if (!parse_arguments(parameters, arguments, given, names, values)) return nullptr;
    CallOwner<BatchCall> call(BatchCall::make(self, values[0], values[1]));
    if (!call || !call->set_timeout(values[2])) return nullptr;
    return call->go();
}

// --- COPY --------------------------------------------------------------------------------------------------------------
PyObject* copy_in(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    static constexpr Parameters<3> parameters{"_copy_in", {"statement", "blocks", "timeout"}, 2};
    std::array<PyObject*, 3> values;
    if (!parse_arguments(parameters, arguments, given, names, values)) return nullptr;
    CallOwner<CopyInCall> call(CopyInCall::of_blocks(self, values[0], values[1]));
    if (!call || !call->set_timeout(values[2])) return nullptr;
    return call->go();
}

PyObject* copy_records(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    static constexpr Parameters<5> parameters{"_copy_records", {"statement", "oids", "columns", "records", "timeout"}, 4};
    std::array<PyObject*, 5> values;
    if (!parse_arguments(parameters, arguments, given, names, values)) return nullptr;
    CallOwner<CopyInCall> call(CopyInCall::of_records(self, values[0], values[1], values[2], values[3]));
    if (!call || !call->set_timeout(values[4])) return nullptr;
    return call->go();
}

PyObject* insert_unnested(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    static constexpr Parameters<6> parameters{
        "_insert_unnested", {"statement", "oids", "columns", "records", "rows", "timeout"}, 5};
    std::array<PyObject*, 6> values;
    if (!parse_arguments(parameters, arguments, given, names, values)) return nullptr;
    CallOwner<UnnestCall> call(UnnestCall::make(self, values[0], values[1], values[2], values[3]));
    if (!call || !call->set_timeout(values[5])) return nullptr;
    call->shape = session_of(self).profile->shape;
    if (values[4] == Py_False) {
        call->shape = walk::PgShape::first;
    } else if (!read_shape(*session_of(self).profile->module, values[4], call->shape)) {
        return nullptr;
    }
    return call->go();
}

PyObject* copy_out(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    static constexpr Parameters<5> parameters{"_copy_out", {"statement", "output", "columns", "rows", "timeout"}, 2};
    std::array<PyObject*, 5> values;
    if (!parse_arguments(parameters, arguments, given, names, values)) return nullptr;
    CallOwner<CopyOutCall> call(CopyOutCall::make(self, values[0], values[1], values[2], values[3]));
    if (!call || !call->set_timeout(values[4])) return nullptr;
    return call->go();
}

template <class Function>
PyCFunction as_method(Function function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

constexpr int quick = METH_FASTCALL | METH_KEYWORDS;

}  // namespace

const PyMethodDef pg_statement_methods[] = {
    {"fetch", as_method(&pg_fetch), quick, "fetch(query, *args, rows=None, timeout=None) -> list of all rows"},
    {"fetchrow", as_method(&pg_fetchrow), quick, "fetchrow(query, *args, rows=None, timeout=None) -> the first row, or None"},
    {"fetchval", as_method(&pg_fetchval), quick,
     "fetchval(query, *args, column=0, timeout=None) -> one value of the first row; None without rows"},
    {"execute", as_method(&pg_execute), quick,
     "execute(query, *args, timeout=None) -> the server's tag, \"UPDATE 3\"\n\n"
     "Without arguments the text may hold several statements; the tag is the last one's."},
    {"executemany", as_method(&executemany), quick,
     "executemany(query, args, timeout=None)\n\n"
     "Runs the statement once per element of `args` (any iterable of sequences), all or nothing."},
    {"_execute_prepared", as_method(&execute_prepared), quick, "execute, kept in the statement cache."},
    {"_fetch_once", as_method(&fetch_once), quick, "fetch of a statement without parameters that is not worth remembering."},
    {"_describe", as_method(&describe), quick,
     "_describe(query, timeout=None) -> (parameter oids, ((column name, oid), ...), whether results are binary)"},
    {"_unknown_types", as_method(&unknown_types), quick, "_unknown_types(oids) -> those that are not known yet"},
    {"_learn_types", as_method(&learn_types), quick, "_learn_types(oids, timeout=None): looks types up in the catalogue."},
    {"_batch", as_method(&batch), quick, "_batch(items, begin, timeout=None) -> list of results"},
    {"_copy_in", as_method(&copy_in), quick, "_copy_in(statement, blocks, timeout=None) -> tag"},
    {"_copy_records", as_method(&copy_records), quick,
     "_copy_records(statement, oids, columns, records, timeout=None) -> tag"},
    {"_insert_unnested", as_method(&insert_unnested), quick,
     "_insert_unnested(statement, oids, columns, records, rows, timeout=None) -> list of what RETURNING gives; rows=False: "
     "values of its only column"},
    {"_copy_out", as_method(&copy_out), quick,
     "_copy_out(statement, output, columns=None, rows=None, timeout=None) -> tag, or rows"},
};
const std::size_t pg_statement_method_count = std::size(pg_statement_methods);

}  // namespace barewire::bind
