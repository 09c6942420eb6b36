// The conditions under which a task need not be suspended; private names of asyncio are listed in pkg/barewire/_loop.py.
#include "bind/in_place.h"

#include <time.h>

namespace barewire::bind {

using py::Ref;

namespace {

// The loop's attribute, or an empty reference with the error cleared.
Ref attribute(PyObject* object, PyObject* name) noexcept {
    Ref value = Ref::steal(PyObject_GetAttr(object, name));
    if (!value) PyErr_Clear();
    return value;
}

// Interned once per process: attribute names are compared by address first.
struct Names {
    Ref stopping = Ref::steal(PyUnicode_InternFromString("_stopping"));
    Ref scheduled = Ref::steal(PyUnicode_InternFromString("_scheduled"));
    Ref task_factory = Ref::steal(PyUnicode_InternFromString("_task_factory"));
    Ref must_cancel = Ref::steal(PyUnicode_InternFromString("_must_cancel"));
    Ref when = Ref::steal(PyUnicode_InternFromString("_when"));
    Ref thread = Ref::steal(PyUnicode_InternFromString("_thread_id"));
    bool complete() const noexcept { return stopping && scheduled && task_factory && must_cancel && when && thread; }
};

const Names& names() noexcept {
    static const Names* made = new Names();  // never destroyed: the interpreter may be gone by then
    return *made;
}

// loop.time() of asyncio's own loops.
double monotonic() noexcept {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// No timer of the loop is due before the longest wait is over.
bool timers_can_wait(PyObject* loop) noexcept {
    Ref scheduled = attribute(loop, names().scheduled.get());
    if (!scheduled || !PyList_CheckExact(scheduled.get())) return false;
    if (PyList_GET_SIZE(scheduled.get()) == 0) return true;
    Ref first = Ref::share(PyList_GET_ITEM(scheduled.get(), 0));
    Ref when = attribute(first.get(), names().when.get());
    if (!when || !PyFloat_CheckExact(when.get())) return false;
    return PyFloat_AS_DOUBLE(when.get()) - monotonic() > longest_wait_in_place * 1e-3;
}

}  // namespace

bool idle_but_for(PyObject* loop, const InPlace& in_place, net::Reactor& reactor) noexcept {
    if (in_place.selector < 0 || reactor.in_flight() > 1 || !names().complete()) return false;
    if (PyObject_Size(in_place.ready.get()) != 0) {
        PyErr_Clear();
        return false;
    }
    if (attribute(loop, names().stopping.get()).get() != Py_False) return false;
    // A factory may start tasks eagerly: then whoever created this one wants to go on.
    if (attribute(loop, names().task_factory.get()).get() != Py_None) return false;
    Ref task = Ref::steal(PyObject_CallOneArg(in_place.current_task.get(), loop));
    if (!task) {
        PyErr_Clear();
        return false;
    }
    // A task that has been cancelled by itself learns of it where it would be suspended.
    if (reinterpret_cast<PyObject*>(task.type()) != in_place.task_type.get()) return false;
    if (attribute(task.get(), names().must_cancel.get()).get() != Py_False) return false;
    if (!timers_can_wait(loop)) return false;
    reactor.end_turn();
    return reactor.in_flight() == 1;
}

bool runs_here(PyObject* loop) noexcept {
    if (!names().complete()) return false;
    Ref thread = attribute(loop, names().thread.get());
    if (!thread || !PyLong_CheckExact(thread.get())) return false;
    const unsigned long number = PyLong_AsUnsignedLong(thread.get());
    if (number == static_cast<unsigned long>(-1) && PyErr_Occurred() != nullptr) {
        PyErr_Clear();
        return false;
    }
    return number == PyThread_get_thread_ident();
}

}  // namespace barewire::bind
