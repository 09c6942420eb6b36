// Several blocking connections behind one reactor: calls on them give futures, and the caller's thread waits for all in place.
// The iterables and converters of its loads so run on that thread, and no other thread is needed.
#include "bind/pg_together.h"

#include <cerrno>
#include <chrono>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "bind/mongo_types.h"
#include "bind/pg_types.h"
#include "bind/pg_wait.h"
#include "net/reactor.h"
#include "py/ref.h"

namespace barewire::bind {

using py::Ref;

namespace {

struct Together {
    std::shared_ptr<net::Reactor> reactor;
    std::vector<Ref> connections;   // whose turnstiles this thread has passed
    bool closed = false;

    void close() noexcept;
};

// Not tracked by the garbage collector: see PgRowSource.
struct TogetherObject {
    PyObject_HEAD
    Together* inner;
};

Together& together_of(PyObject* self) noexcept { return *reinterpret_cast<TogetherObject*>(self)->inner; }

void Together::close() noexcept {
    if (std::exchange(closed, true)) return;
    // What is still under way loses its connection: nobody is going to read the answer.
    if (reactor) reactor->close();
    for (const Ref& connection : connections) {
        PgSession& session = session_of(connection.get());
        session.together.reset();
        session.turnstile.leave();
    }
}

bool join(Together& together, PyObject* connection, PyTypeObject* type) {
    if (!PyObject_TypeCheck(connection, type)) {
        PyErr_SetString(PyExc_TypeError, "a blocking connection is needed");
        return false;
    }
    PgSession& session = session_of(connection);
    together.connections.reserve(together.connections.size() + 1);
    if (!session.turnstile.enter()) return false;
    together.connections.push_back(Ref::share(connection));
    session.together = together.reactor;
    return true;
}

void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    if (Together* inner = reinterpret_cast<TogetherObject*>(self)->inner) {
        inner->close();
        delete inner;
    }
    type->tp_free(self);
    Py_DECREF(type);  // reference counting: an instance of a heap type owns its type
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject*) {
    PyObject* given = nullptr;
    if (!PyArg_ParseTuple(arguments, "O:PgTogether", &given)) return nullptr;
    Ref connections = Ref::steal(PySequence_Tuple(given));
    if (!connections) return nullptr;
    if (PyTuple_GET_SIZE(connections.get()) == 0) {
        PyErr_SetString(PyExc_ValueError, "at least one connection is needed");
        return nullptr;
    }
    Ref self = Ref::steal(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    try {
        auto* inner = reinterpret_cast<TogetherObject*>(self.get())->inner = new Together();
        int error = 0;
        inner->reactor = net::Reactor::create(error);
        if (!inner->reactor) {
            errno = error;
            return PyErr_SetFromErrno(PyExc_OSError);
        }
        auto* blocking = reinterpret_cast<PyTypeObject*>(state_of_type(type).pg->connection_type.get());
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(connections.get()); ++i) {
            if (!join(*inner, PyTuple_GET_ITEM(connections.get(), i), blocking)) return nullptr;
        }
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
    return self.release();
}

PyObject* wait(PyObject* self, PyObject* seconds) {
    Together& inner = together_of(self);
    if (inner.closed) {
        PyErr_SetString(PyExc_RuntimeError, "it is closed");
        return nullptr;
    }
    net::pg::Clock::time_point until = net::pg::Clock::time_point::max();
    if (seconds != Py_None) {
        const double value = PyFloat_AsDouble(seconds);
        if (value == -1.0 && PyErr_Occurred() != nullptr) return nullptr;
        if (!(value >= 0 && value < 1e9)) {
            PyErr_SetString(PyExc_ValueError, "seconds must be a number that is not negative");
            return nullptr;
        }
        until = net::pg::Clock::now() +
                std::chrono::duration_cast<net::pg::Clock::duration>(std::chrono::duration<double>(value));
    }
    PgWait waiting(session_of(inner.connections.front().get()));
    const net::Waited waited = waiting.wait(inner.reactor->descriptor(), net::Want::read, until);
    const int error = errno;
    if (waiting.raise()) return nullptr;
    if (waited == net::Waited::failed) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    const std::shared_ptr<net::Reactor> reactor = inner.reactor;
    if (waited == net::Waited::ready) reactor->drain();
    return PyBool_FromLong(waited == net::Waited::ready);
}

PyObject* close(PyObject* self, PyObject*) {
    together_of(self).close();
    Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"wait", wait, METH_O,
     "wait(seconds or None) -> whether something happened\n\nOne round: waits until a connection can go on and lets it. What "
     "has ended shows in the futures. Signal handlers run meanwhile, and what they raise comes out."},
    {"close", close, METH_NOARGS,
     "The connections are ordinary ones again; those on which something is still under way are lost. Safe to call twice."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("PgTogether(connections): until close() statements of these blocking connections give futures.")},
    {Py_tp_new, reinterpret_cast<void*>(&make)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
    {Py_tp_methods, methods},
    {0, nullptr},
};

PyType_Spec spec = {"barewire._core.PgTogether", sizeof(TogetherObject), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

bool add_pg_together(PyObject* module, ModuleState& state) { return add_type(module, spec, state.pg->together_type); }

}  // namespace barewire::bind
