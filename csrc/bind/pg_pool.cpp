// barewire._core.PgPool and PgAsyncPool: arguments of their methods, lifetime. Lending is in pg_lending.cpp.
#include "bind/pg_pool.h"

#include <new>
#include <unordered_set>
#include <utility>

#include "bind/args.h"
#include "bind/mongo_types.h"
#include "bind/pg_methods.h"
#include "bind/pg_plan.h"
#include "py/compat.h"

namespace barewire::bind {

using net::pg::Clock;
using py::Ref;

namespace {

// All that live, for a fork's child. With the GIL.
std::unordered_set<PgPool*>& pools() {
    static auto* all = new std::unordered_set<PgPool*>();  // never destroyed: objects may outlive the module
    return *all;
}

// --- statements --------------------------------------------------------------------------------------------------------
using Statement = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);

template <Statement run>
PyObject* statement(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    if (!pool_of(self).blocking) {
        PyObject* connection = shared_connection(self);
        return connection != nullptr ? run(connection, arguments, given, names) : nullptr;
    }
    Ref made;
    {
        LentHere lent(self);
        PyObject* connection = lent.take();
        if (connection != nullptr) made = Ref::steal(run(connection, arguments, given, names));
    }
    return PyErr_Occurred() != nullptr ? nullptr : made.release();
}

// --- lending -----------------------------------------------------------------------------------------------------------
PyObject* acquire(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    static constexpr Parameters<2> parameters{"_acquire", {"timeout", "taken_at"}, 1};
    std::array<PyObject*, 2> values;
    if (!parse_arguments(parameters, arguments, given, names, values)) return nullptr;
    return acquire_connection(self, values[0], values[1]);
}

PyObject* release(PyObject* self, PyObject* connection) {
    ModuleState& state = *pool_of(self).profile->module;
    const bool ours =
        PyObject_TypeCheck(connection, reinterpret_cast<PyTypeObject*>(state.pg->connection_type.get())) ||
        PyObject_TypeCheck(connection, reinterpret_cast<PyTypeObject*>(state.pg->async_connection_type.get()));
    if (!ours || (session_of(connection).lent != nullptr && session_of(connection).pool.get() != self)) {
        raise_psycopg("ProgrammingError", "the connection is not of this pool");
        return nullptr;
    }
    if (!give_back(connection)) return nullptr;
    Py_RETURN_NONE;
}

PyObject* resize(PyObject* self, PyObject* const* arguments, Py_ssize_t given, PyObject* names) {
    static constexpr Parameters<2> parameters{"resize", {"min_size", "max_size"}, 2};
    std::array<PyObject*, 2> values;
    if (!parse_arguments(parameters, arguments, given, names, values)) return nullptr;
    const unsigned long low = PyLong_AsUnsignedLong(values[0]);
    const unsigned long high = low == static_cast<unsigned long>(-1) ? 0 : PyLong_AsUnsignedLong(values[1]);
    if (PyErr_Occurred() != nullptr) return nullptr;
    if (high < 1 || high > 10000 || low > high) {
        PyErr_SetString(PyExc_ValueError, "sizes must be 0 <= min_size <= max_size, and max_size from 1 to 10000");
        return nullptr;
    }
    PgPool& inner = pool_of(self);
    inner.settings.min_size = static_cast<std::uint32_t>(low);
    inner.settings.max_size = static_cast<std::uint32_t>(high);
    inner.pool->resize(inner.settings.min_size, inner.settings.max_size);
    Py_RETURN_NONE;
}

PyObject* drain(PyObject* self, PyObject*) {
    pool_of(self).pool->drain();
    Py_RETURN_NONE;
}

PyObject* maintain(PyObject* self, PyObject*) {
    PgPool& inner = pool_of(self);
    inner.maintained = Clock::now();
    inner.pool->maintain();
    Py_RETURN_NONE;
}

PyObject* close(PyObject* self, PyObject*) {
    pool_of(self).pool->close();
    Py_RETURN_NONE;
}

PyObject* is_closed(PyObject* self, void*) { return PyBool_FromLong(pool_of(self).pool->closed()); }

PyObject* stats(PyObject* self, PyObject*) {
    const net::pg::PoolStats seen = pool_of(self).pool->stats();
    unsigned long long shared = 0;
    for (const auto& [reactor, loop] : pool_of(self).loops) {
        if (!loop.reactor.expired()) shared += session_of(loop.connection.get()).shared->connections();
    }
    return Py_BuildValue("{sI sI sI sI sI sI sI sK sK sK sK sK sK sK}", "size", seen.size, "idle", seen.idle, "in_use",
                         seen.in_use, "waiting", seen.waiting, "connecting", seen.connecting, "min_size", seen.min_size,
                         "max_size", seen.max_size, "shared", shared, "acquired",
                         static_cast<unsigned long long>(seen.acquired), "made", static_cast<unsigned long long>(seen.made),
                         "failed", static_cast<unsigned long long>(seen.failed), "lost",
                         static_cast<unsigned long long>(seen.lost), "closed", static_cast<unsigned long long>(seen.closed),
                         "timed_out", static_cast<unsigned long long>(seen.timed_out));
}

// --- life --------------------------------------------------------------------------------------------------------------
bool number(PyObject* settings, const char* name, double& out) {
    PyObject* value = PyDict_GetItemString(settings, name);
    if (value == nullptr) {
        PyErr_SetString(PyExc_KeyError, name);
        return false;
    }
    out = PyFloat_AsDouble(value);
    return out != -1.0 || PyErr_Occurred() == nullptr;
}

bool text(PyObject* settings, const char* name, std::string& out) {
    PyObject* value = PyDict_GetItemString(settings, name);
    const char* data = value != nullptr ? PyUnicode_AsUTF8(value) : nullptr;
    if (data == nullptr) {
        if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_KeyError, name);
        return false;
    }
    out = data;
    return true;
}

Clock::duration seconds(double value) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(value));
}

// The settings of a pool; their ranges were checked in pkg/barewire/pg/_settings.py.
bool read_pool(PgPool& pool, PyObject* settings) {
    double low = 0, high = 0, timeout = 0, age = 0, idle = 0, shared = 0, pipelining = 0;
    if (!number(settings, "min_size", low) || !number(settings, "max_size", high) || !number(settings, "timeout", timeout) ||
        !number(settings, "max_lifetime", age) || !number(settings, "max_idle", idle) ||
        !number(settings, "shared_connections", shared) || !number(settings, "pipelining", pipelining) ||
        !text(settings, "reset", pool.settings.reset) || !text(settings, "setup", pool.settings.setup)) {
        return false;
    }
    PyObject* type = PyDict_GetItemString(settings, "connection_type");
    if (type == nullptr || !PyType_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "connection_type");
        return false;
    }
    pool.connection_type = Ref::share(type);
    pool.settings.connect = *pool.profile->options;
    pool.settings.min_size = static_cast<std::uint32_t>(low);
    pool.settings.max_size = static_cast<std::uint32_t>(high);
    pool.settings.max_age = seconds(age);
    pool.settings.max_idle = seconds(idle);
    pool.settings.statement_limit = pool.profile->statement_cache_size;
    pool.settings.statements_on_server = pool.profile->statement_cache_size != 0;
    pool.timeout = seconds(timeout);
    pool.most_shared = static_cast<std::uint32_t>(shared);
    pool.pipelining = pipelining != 0;
    pool.pool = std::make_shared<net::pg::ConnectionPool>(pool.profile->engine, pool.settings);
    return true;
}

PyObject* make_pool(PyTypeObject* type, PyObject* arguments, bool blocking) {
    PyObject* settings = nullptr;
    if (!PyArg_ParseTuple(arguments, "O!:pool", &PyDict_Type, &settings)) return nullptr;
    try {
        auto pool = std::make_unique<PgPool>();
        pool->profile = read_profile(*state_of_base(type), settings);
        pool->blocking = blocking;
        if (!pool->profile || !read_pool(*pool, settings)) return nullptr;
        Ref self = Ref::steal(type->tp_alloc(type, 0));
        if (!self) return nullptr;
        pools().insert(pool.get());
        reinterpret_cast<PgPoolObject*>(self.get())->pool = pool.release();
        return self.release();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyObject* make_blocking(PyTypeObject* type, PyObject* arguments, PyObject*) { return make_pool(type, arguments, true); }
PyObject* make_async(PyTypeObject* type, PyObject* arguments, PyObject*) { return make_pool(type, arguments, false); }

void deallocate(PyObject* self) {
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
    auto* object = reinterpret_cast<PgPoolObject*>(self);
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (object->weak_references != nullptr) PyObject_ClearWeakRefs(self);
    if (object->pool != nullptr) {
        pools().erase(object->pool);
        object->pool->pool->close();
        delete object->pool;
    }
    type->tp_free(self);
    Py_DECREF(type);  // reference counting: an instance of a heap type owns its type
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    return 0;
}

int clear(PyObject*) { return 0; }

const PyMethodDef own_methods[] = {
    {"_acquire", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&acquire)), METH_FASTCALL | METH_KEYWORDS,
     "_acquire(timeout, taken_at=None) -> connection"},
    {"_release", release, METH_O, "Gives a connection back."},
    {"_maintain", maintain, METH_NOARGS, "Opens and closes connections as sizes and idleness demand."},
    {"_close", close, METH_NOARGS, "For ever."},
    {"resize", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&resize)), METH_FASTCALL | METH_KEYWORDS,
     "resize(min_size, max_size)\n\nConnections above the new maximum are closed when they come back."},
    {"drain", drain, METH_NOARGS, "drain()\n\nReplaces every connection: idle ones now, others when they come back."},
    {"stats", stats, METH_NOARGS,
     "stats() -> dict\n\nNow: size idle in_use waiting connecting min_size max_size shared. Since the pool was made: acquired "
     "made failed lost (found broken) closed (for age, idleness, resizing) timed_out."},
    // The same as a connection's, each on one that is free or shared.
    {"fetch", nullptr, 0, nullptr},
    {"fetchrow", nullptr, 0, nullptr},
    {"fetchval", nullptr, 0, nullptr},
    {"execute", nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"closed", is_closed, nullptr, "Whether it was closed.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMemberDef members[] = {
    py::weak_list_member(offsetof(PgPoolObject, weak_references)),
    {nullptr, 0, 0, 0, nullptr},
};

PyObject* after_fork(PyObject*, PyObject*) {
    for (PgPool* pool : pools()) {
        pool->pool->abandon_after_fork();
        // Never destroyed: what they know belongs to the parent.
        new std::shared_ptr<net::pg::ConnectionPool>(std::move(pool->pool));
        new std::unordered_map<net::Reactor*, PgPool::Loop>(std::move(pool->loops));
        pool->loops.clear();
        pool->free.clear();
        try {
            pool->pool = std::make_shared<net::pg::ConnectionPool>(pool->profile->engine, pool->settings);
        } catch (const std::bad_alloc&) {
            return PyErr_NoMemory();
        }
    }
    Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"pg_pools_after_fork", after_fork, METH_NOARGS, "In a fork's child: pools begin anew."},
    {nullptr, nullptr, 0, nullptr},
};

// Method tables live as long as their types.
PyMethodDef* all_methods() {
    static std::vector<PyMethodDef>* all = [] {
        auto* made = new std::vector<PyMethodDef>(std::begin(own_methods), std::end(own_methods));
        const Statement own[] = {&statement<&pg_fetch>, &statement<&pg_fetchrow>, &statement<&pg_fetchval>,
                                 &statement<&pg_execute>};
        std::size_t at = made->size() - std::size(own);
        for (const Statement one : own) {
            PyMethodDef& place = (*made)[at++];
            for (std::size_t i = 0; i < pg_statement_method_count; ++i) {
                if (std::string_view(pg_statement_methods[i].ml_name) == place.ml_name) place = pg_statement_methods[i];
            }
            place.ml_meth = reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(one));
        }
        made->push_back({nullptr, nullptr, 0, nullptr});
        return made;
    }();
    return all->data();
}

bool add_one(PyObject* module, const char* name, newfunc make, const char* doc, Ref& place) {
    PyType_Slot slots[] = {
        {Py_tp_doc, const_cast<char*>(doc)},
        {Py_tp_new, reinterpret_cast<void*>(make)},
        {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
        {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
        {Py_tp_clear, reinterpret_cast<void*>(&clear)},
        {Py_tp_methods, all_methods()},
        {Py_tp_getset, attributes},
        {Py_tp_members, members},
        {0, nullptr},
    };
    PyType_Spec spec = {name, sizeof(PgPoolObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};
    return add_type(module, spec, place);
}

}  // namespace

bool add_pg_pool(PyObject* module, ModuleState& state) {
    return add_one(module, "barewire._core.PgPool", &make_blocking, "Connections shared by threads.", state.pg->pool_type) &&
           add_one(module, "barewire._core.PgAsyncPool", &make_async, "Connections shared by tasks.",
                   state.pg->async_pool_type) &&
           PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace barewire::bind
