// The type barewire._core.PgRowSource and the turns in which its rows are taken; what is made of rows is in pg_copy_in, pg_unnest.
#include "bind/pg_row_source.h"

#include <new>
#include <utility>

#include "bind/mongo_types.h"
#include "bind/pg_plan.h"
#include "bind/pg_types.h"

namespace barewire::bind {

using py::Ref;

namespace {

// The error of those that were stopped because another one has failed.
constexpr const char* load_stopped = "the load has failed on another connection";

// Not tracked by the garbage collector: the load that uses it holds it and lets it go, no user sees it.
struct SourceObject {
    PyObject_HEAD
    RowPart* part;
};

RowPart& part_of(PyObject* self) noexcept { return *reinterpret_cast<SourceObject*>(self)->part; }

PyObject* new_part(PyTypeObject* type, std::shared_ptr<SharedRows> rows) {
    Ref self = Ref::steal(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    auto* part = new (std::nothrow) RowPart{std::move(rows), {}};
    if (part == nullptr) return PyErr_NoMemory();
    reinterpret_cast<SourceObject*>(self.get())->part = part;
    return self.release();
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject*) {
    PyObject* rows = nullptr;
    if (!PyArg_ParseTuple(arguments, "O:PgRowSource", &rows)) return nullptr;
    try {
        auto shared = std::make_shared<SharedRows>();
        return shared->source.open(rows) ? new_part(type, std::move(shared)) : nullptr;
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    delete reinterpret_cast<SourceObject*>(self)->part;
    type->tp_free(self);
    Py_DECREF(type);  // reference counting: an instance of a heap type owns its type
}

PyObject* share(PyObject* self, PyObject*) { return new_part(Py_TYPE(self), part_of(self).rows); }

PyObject* stop(PyObject* self, PyObject*) {
    part_of(self).rows->stopped = true;
    Py_RETURN_NONE;
}

PyObject* get_takes(PyObject* self, void*) {
    Ref list = Ref::steal(PyList_New(0));
    if (!list) return nullptr;
    for (std::size_t i = 0; i < part_of(self).takes.size(); ++i) {
        const RowTake take = part_of(self).takes[i];
        Ref item = Ref::steal(Py_BuildValue("(nnn)", static_cast<Py_ssize_t>(take.first), static_cast<Py_ssize_t>(take.end),
                                            static_cast<Py_ssize_t>(take.returned)));
        if (!item || PyList_Append(list.get(), item.get()) < 0) return nullptr;
    }
    return list.release();
}

PyMethodDef methods[] = {
    {"share", share, METH_NOARGS, "share() -> a further part, for another connection"},
    {"stop", stop, METH_NOARGS, "No part gets any more rows: their loads end as refused."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"takes", get_takes, nullptr, "What this part took: list of (first position, behind the last, rows that were returned)", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("PgRowSource(rows): one part of an iterable whose rows several connections load.")},
    {Py_tp_new, reinterpret_cast<void*>(&make)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr},
};

PyType_Spec spec = {"barewire._core.PgRowSource", sizeof(SourceObject), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

RowPart* row_part_of(ModuleState& state, PyObject* object) noexcept {
    return Py_TYPE(object) == reinterpret_cast<PyTypeObject*>(state.pg->row_source_type.get()) ? &part_of(object) : nullptr;
}

bool RowTurn::enter(bool joined) {
    SharedRows& rows = *part_.rows;
    if (rows.stopped) {
        raise_psycopg("OperationalError", load_stopped);
        return false;
    }
    if (rows.taking) {
        PyErr_SetString(PyExc_RuntimeError, "the iterable of rows drives the load that it is read by");
        return false;
    }
    // Room for what the destructor adds.
    std::vector<RowTake>& takes = part_.takes;
    if (takes.size() == takes.capacity()) takes.reserve(takes.empty() ? 16 : takes.size() * 2);
    rows.taking = entered_ = true;
    joined_ = joined;
    first_ = rows.source.taken();
    return true;
}

RowTurn::~RowTurn() {
    if (!entered_) return;
    part_.rows->taking = false;
    const std::size_t end = part_.rows->source.taken();
    if (end == first_) return;
    std::vector<RowTake>& takes = part_.takes;
    if (joined_ && !takes.empty() && takes.back().end == first_) {
        takes.back().end = end;
    } else {
        takes.push_back({first_, end, 0});
    }
}

bool add_pg_row_source(PyObject* module, ModuleState& state) {
    return add_type(module, spec, state.pg->row_source_type) &&
           PyModule_AddStringConstant(module, "PG_LOAD_STOPPED", load_stopped) == 0;
}

}  // namespace barewire::bind
