// barewire._core.MongoEngine: settings, lifetime, topology, and whole messages for PyMongo's own methods.
#include <algorithm>
#include <new>
#include <utility>

#include "bind/mongo_call.h"
#include "bind/mongo_types.h"
#include "py/compat.h"
#include "py/guard.h"

namespace barewire::bind {

using py::Ref;

net::mongo::Client& Engine::open() {
    if (!client) client = net::mongo::Client::create(settings);
    return *client;
}

bool add_type(PyObject* module, PyType_Spec& spec, Ref& place) {
    place = Ref::steal(PyType_FromModuleAndSpec(module, &spec, nullptr));
    return place && PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(place.get())) == 0;
}

namespace {

// Reads one entry of the settings; a missing one is a KeyError.
class Reader {
public:
    explicit Reader(PyObject* dict) : dict_(dict) {}
    bool text(const char* name, std::string& out) {
        PyObject* value = item(name);
        Py_ssize_t size = 0;
        const char* data = value != nullptr ? PyUnicode_AsUTF8AndSize(value, &size) : nullptr;
        if (data == nullptr) return false;
        out.assign(data, static_cast<std::size_t>(size));
        return true;
    }
    template <class Integer>
    bool number(const char* name, Integer& out) {
        PyObject* value = item(name);
        if (value == nullptr) return false;
        const long long read = PyLong_AsLongLong(value);
        if (read == -1 && PyErr_Occurred() != nullptr) return false;
        out = static_cast<Integer>(read);
        return true;
    }
    bool milliseconds(const char* name, Clock::duration& out) {
        long long read = 0;
        if (!number(name, read)) return false;
        out = std::chrono::milliseconds(read);
        return true;
    }
    bool flag(const char* name, bool& out) {
        PyObject* value = item(name);
        if (value == nullptr) return false;
        const int truth = PyObject_IsTrue(value);
        out = truth > 0;
        return truth >= 0;
    }

private:
    PyObject* item(const char* name) {
        PyObject* value = PyDict_GetItemString(dict_, name);
        if (value == nullptr && PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_KeyError, name);
        return value;
    }
    PyObject* dict_;
};

bool read_settings(PyObject* dict, Engine& engine) {
    Reader read(dict);
    net::mongo::Settings& s = engine.settings;
    return read.text("uri", s.uri) && read.text("driver_name", s.driver_name) &&
           read.text("driver_version", s.driver_version) && read.text("platform", s.platform) &&
           read.number("max_pool_size", s.max_pool_size) && read.number("max_connecting", s.max_connecting) &&
           read.milliseconds("local_threshold", s.local_threshold) && read.milliseconds("max_idle_time", s.max_idle_time) &&
           read.milliseconds("heartbeat_interval", s.heartbeat_interval) && read.flag("direct", s.direct) &&
           read.flag("load_balanced", s.load_balanced) && read.flag("retry_reads", s.retry_reads) &&
           read.flag("retry_writes", s.retry_writes) && read.milliseconds("selection_timeout", engine.selection_timeout) &&
           read.milliseconds("wait_queue_timeout", engine.wait_queue_timeout) &&
           read.milliseconds("socket_timeout", engine.socket_timeout);
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject*) {
    PyObject *settings = nullptr, *errors = nullptr;
    if (!PyArg_ParseTuple(arguments, "O!O:MongoEngine", &PyDict_Type, &settings, &errors)) return nullptr;
    Ref self = Ref::steal(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    try {
        auto engine = std::make_unique<Engine>();
        engine->module = &state_of_type(type);
        engine->errors = Ref::share(errors);
        if (!read_settings(settings, *engine)) return nullptr;
        reinterpret_cast<EngineObject*>(self.get())->engine = engine.release();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
    return self.release();
}

void close_engine(Engine& engine) {
    engine.closed = true;
    std::shared_ptr<net::mongo::Client> client = engine.client;
    if (!client) return;
    py::WithoutGil released;
    client->close();
    client.reset();
}

void finalize(PyObject* self) {
    Engine* engine = reinterpret_cast<EngineObject*>(self)->engine;
    if (engine == nullptr) return;
    Ref pending = py::take_exception();
    close_engine(*engine);
    py::restore_exception(std::move(pending));
}

void deallocate(PyObject* self) {
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    delete reinterpret_cast<EngineObject*>(self)->engine;
    type->tp_free(self);
    Py_DECREF(type);  // reference counting: an instance of a heap type owns its type
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Engine* engine = reinterpret_cast<EngineObject*>(self)->engine;
    if (engine != nullptr) {
        Py_VISIT(engine->errors.get());
        Py_VISIT(engine->timeout_variable.get());
        Py_VISIT(engine->session_variable.get());
        Py_VISIT(engine->logger.get());
    }
    return 0;
}

int clear(PyObject* self) {
    Engine* engine = reinterpret_cast<EngineObject*>(self)->engine;
    if (engine != nullptr) engine->errors.reset();
    return 0;
}

// --- the condition of the fast path ------------------------------------------------------------------------------------
PyObject* restrict_paths(PyObject* self, PyObject* arguments, PyObject* keywords) {
    static const char* names[] = {"always", "timeout", "bound_session", "logger", nullptr};
    int always = 0;
    PyObject *timeout = nullptr, *bound_session = nullptr, *logger = nullptr;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "pOOO:restrict", const_cast<char**>(names), &always, &timeout,
                                     &bound_session, &logger)) {
        return nullptr;
    }
    Engine& engine = engine_of(self);
    engine.timeout_variable = Ref::share(timeout);
    if (bound_session != Py_None) engine.session_variable = Ref::share(bound_session);
    engine.logger = Ref::share(logger);
    // A logger remembers per level whether it is enabled; looking there spares a call per operation.
    Ref cache = Ref::steal(PyObject_GetAttrString(logger, "_cache"));
    if (!cache) PyErr_Clear();
    if (cache && PyDict_CheckExact(cache.get())) engine.logger_cache = std::move(cache);
    engine.restricted = always != 0;
    Py_RETURN_NONE;
}

// 1: the variable is unset or None, 0: it has a value, -1: error.
int is_unset(const Ref& variable) {
    if (!variable) return 1;
    PyObject* value = nullptr;
    if (PyContextVar_Get(variable.get(), nullptr, &value) < 0) return -1;
    Ref held = Ref::steal(value);
    return value == nullptr || value == Py_None ? 1 : 0;
}

int debug_logging(Engine& engine) {
    PyObject* level = engine.module->mongo->debug_level.get();
    if (engine.logger_cache) {
        PyObject* known = py::dict_get(engine.logger_cache.get(), level);
        if (known != nullptr) return known == Py_True;
        if (PyErr_Occurred() != nullptr) return -1;
    }
    Ref enabled = Ref::steal(PyObject_CallMethod(engine.logger.get(), "isEnabledFor", "O", level));
    return enabled ? PyObject_IsTrue(enabled.get()) : -1;
}

PyObject* direct(PyObject* self, PyObject*) {
    Engine& engine = engine_of(self);
    if (engine.restricted || engine.closed) Py_RETURN_FALSE;
    for (const Ref* variable : {&engine.timeout_variable, &engine.session_variable}) {
        const int unset = is_unset(*variable);
        if (unset < 0) return nullptr;
        if (unset == 0) Py_RETURN_FALSE;
    }
    const int logged = debug_logging(engine);
    if (logged < 0) return nullptr;
    return PyBool_FromLong(logged == 0);
}

// --- lifetime and topology ---------------------------------------------------------------------------------------------
PyObject* close(PyObject* self, PyObject*) {
    close_engine(engine_of(self));
    Py_RETURN_NONE;
}

PyObject* after_fork(PyObject* self, PyObject*) {
    Engine& engine = engine_of(self);
    if (engine.client) {
        engine.client->abandon_after_fork();
        // Never destroyed: its sockets and threads are the parent's.
        new std::shared_ptr<net::mongo::Client>(std::move(engine.client));
        engine.client.reset();
    }
    Py_RETURN_NONE;
}

PyObject* open_topology(PyObject* self, PyObject*) {
    Engine& engine = engine_of(self);
    if (engine.closed) Py_RETURN_NONE;
    engine.open();
    std::shared_ptr<net::mongo::Client> client = engine.client;
    py::WithoutGil released;
    client->open_topology();
    client.reset();
    Py_RETURN_NONE;
}

PyObject* check_now(PyObject* self, PyObject*) {
    Engine& engine = engine_of(self);
    if (engine.client && !engine.closed) {
        std::shared_ptr<net::mongo::Client> client = engine.client;
        py::WithoutGil released;
        client->check_now();
        client.reset();
    }
    Py_RETURN_NONE;
}

PyObject* wait_topology(PyObject* self, PyObject* arguments) {
    unsigned long long seen = 0;
    long long milliseconds = 0;
    if (!PyArg_ParseTuple(arguments, "KL:wait_topology", &seen, &milliseconds)) return nullptr;
    Engine& engine = engine_of(self);
    if (engine.closed) Py_RETURN_FALSE;
    engine.open();
    std::shared_ptr<net::mongo::Client> client = engine.client;
    bool changed = false;
    {
        py::WithoutGil released;
        changed = client->wait_topology(seen, std::chrono::milliseconds(milliseconds));
        client.reset();
    }
    return PyBool_FromLong(changed);
}

PyObject* topology(PyObject* self, PyObject*) {
    Engine& engine = engine_of(self);
    const net::mongo::TopologyView view = engine.open().topology();
    Ref servers = Ref::steal(PyList_New(0));
    if (!servers) return nullptr;
    for (const net::mongo::ServerView& server : view.servers) {
        Ref entry = Ref::steal(Py_BuildValue(
            "{s:s#,s:L,s:y#,s:s#,s:i}", "address", server.address.data(), static_cast<Py_ssize_t>(server.address.size()),
            "round_trip_microseconds", static_cast<long long>(server.round_trip_microseconds), "hello",
            server.hello.empty() ? "" : reinterpret_cast<const char*>(server.hello.data()),
            static_cast<Py_ssize_t>(server.hello.size()), "error", server.error.data(),
            static_cast<Py_ssize_t>(server.error.size()), "error_code", server.error_code));
        if (!entry || PyList_Append(servers.get(), entry.get()) < 0) return nullptr;
    }
    return Py_BuildValue("{s:K,s:s#,s:N}", "epoch", static_cast<unsigned long long>(view.epoch), "type", view.type.data(),
                         static_cast<Py_ssize_t>(view.type.size()), "servers", servers.release());
}

PyObject* pool_stats(PyObject* self, PyObject*) {
    Engine& engine = engine_of(self);
    Ref list = Ref::steal(PyList_New(0));
    if (!list || !engine.client) return list.release();
    for (const net::mongo::PoolStats& pool : engine.client->pool_stats()) {
        Ref entry = Ref::steal(Py_BuildValue("{s:s#,s:I,s:I,s:I,s:I,s:I}", "address", pool.address.data(),
                                             static_cast<Py_ssize_t>(pool.address.size()), "open", pool.open, "in_use",
                                             pool.in_use, "waiting", pool.waiting, "created", pool.created, "closed",
                                             pool.closed));
        if (!entry || PyList_Append(list.get(), entry.get()) < 0) return nullptr;
    }
    return list.release();
}

PyObject* cluster_time(PyObject* self, PyObject*) {
    Engine& engine = engine_of(self);
    if (!engine.client) return PyBytes_FromStringAndSize("", 0);
    const base::Buffer time = engine.client->cluster_time();
    return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(time.data()), static_cast<Py_ssize_t>(time.size()));
}

PyObject* advance_cluster_time(PyObject* self, PyObject* document) {
    py::BufferView view;
    if (!view.acquire(document)) return nullptr;
    Engine& engine = engine_of(self);
    if (!engine.closed) engine.open().advance_cluster_time(view.data(), static_cast<std::size_t>(view.size()));
    Py_RETURN_NONE;
}

PyObject* get_epoch(PyObject* self, void*) {
    Engine& engine = engine_of(self);
    return PyLong_FromUnsignedLongLong(engine.client ? engine.client->topology().epoch : 0);
}

PyObject* get_used(PyObject* self, void*) { return PyBool_FromLong(engine_of(self).client != nullptr); }

PyObject* get_closed(PyObject* self, void*) { return PyBool_FromLong(engine_of(self).closed); }

// --- work --------------------------------------------------------------------------------------------------------------
PyObject* target(PyObject* self, PyObject* arguments) {
    PyObject *database = nullptr, *encode = nullptr, *decode = nullptr, *preference = nullptr;
    if (!PyArg_ParseTuple(arguments, "UOOO:target", &database, &encode, &decode, &preference)) return nullptr;
    return new_target(self, database, encode, decode, preference);
}

MongoCallOwner exchange(PyObject* self, PyObject* arguments) {
    PyObject *address = nullptr, *message = nullptr;
    int expects_reply = 1;
    long long timeout = 0;
    if (!PyArg_ParseTuple(arguments, "USpL:exchange", &address, &message, &expects_reply, &timeout)) return {};
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(address, &size);
    if (text == nullptr) return {};
    MongoCallOwner call(new MongoCall(self, nullptr, shape_message));
    call->raw = true;
    call->expects_reply = expects_reply != 0;
    call->address.assign(text, static_cast<std::size_t>(size));
    call->session_use = net::mongo::SessionUse::none;
    call->socket_timeout = std::chrono::milliseconds(timeout);
    // PyMongo has chosen the server already; waiting for one that has gone meanwhile is its business.
    call->selection_timeout = std::min<Clock::duration>(call->selection_timeout, std::chrono::seconds(1));
    if (!call->body.append(PyBytes_AS_STRING(message), static_cast<std::size_t>(PyBytes_GET_SIZE(message)))) {
        PyErr_NoMemory();
        return {};
    }
    return call;
}

PyObject* exchange_start(PyObject* self, PyObject* arguments) {
    try {
        MongoCallOwner call = exchange(self, arguments);
        return call ? call->start() : nullptr;
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyObject* exchange_run(PyObject* self, PyObject* arguments) {
    try {
        MongoCallOwner call = exchange(self, arguments);
        return call ? call->run() : nullptr;
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyMethodDef methods[] = {
    {"restrict", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&restrict_paths)),
     METH_VARARGS | METH_KEYWORDS, "What direct() looks at: context variables, a logger, and whether it may ever be true."},
    {"direct", direct, METH_NOARGS, "Whether an operation without a session may take the fast path now."},
    {"close", close, METH_NOARGS, "Ends everything; blocking. Operations that wait fail with InvalidOperation."},
    {"after_fork", after_fork, METH_NOARGS, "In a fork's child: leaves the parent's connections alone and starts anew."},
    {"open_topology", open_topology, METH_NOARGS, "Starts the monitors if they are not running."},
    {"check_now", check_now, METH_NOARGS, "Makes the monitors look again soon."},
    {"wait_topology", wait_topology, METH_VARARGS,
     "wait_topology(seen, milliseconds): waits until the epoch is above `seen`; whether it is."},
    {"topology", topology, METH_NOARGS, "{epoch, type, servers}: what the monitors know."},
    {"pool_stats", pool_stats, METH_NOARGS, "One dict per server: open, in_use, waiting, created, closed."},
    {"cluster_time", cluster_time, METH_NOARGS, "The greatest $clusterTime seen, as BSON; b'' if none."},
    {"advance_cluster_time", advance_cluster_time, METH_O, "Takes a $clusterTime (BSON) if it is greater."},
    {"target", target, METH_VARARGS, "target(database, encode_options, decode_options, read_preference) -> MongoTarget"},
    {"exchange_start", exchange_start, METH_VARARGS,
     "exchange_start(address, message, expects_reply, timeout_ms) -> Future of the reply behind its header"},
    {"exchange_run", exchange_run, METH_VARARGS, "The blocking twin of exchange_start: the bytes themselves."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"epoch", get_epoch, nullptr, "Grows with every change of the topology.", nullptr},
    {"used", get_used, nullptr, "Whether anything was opened.", nullptr},
    {"closed", get_closed, nullptr, "Whether close() was called.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot type_slots[] = {
    {Py_tp_doc, const_cast<char*>("MongoEngine(settings, errors): connections, topology and sessions of one client. "
                                  "`settings` are those of barewire.mongo._uri.engine_settings. Opens nothing.")},
    {Py_tp_new, reinterpret_cast<void*>(&make)},
    {Py_tp_finalize, reinterpret_cast<void*>(&finalize)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
    {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&clear)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr},
};

PyType_Spec spec = {"barewire._core.MongoEngine", sizeof(EngineObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                    type_slots};

bool intern(Ref& place, const char* name) {
    place = Ref::steal(PyUnicode_InternFromString(name));
    return static_cast<bool>(place);
}

}  // namespace

bool add_mongo_engine(PyObject* module, ModuleState& state) {
    state.mongo = std::make_shared<MongoState>();
    MongoState& names = *state.mongo;
    names.debug_level = Ref::steal(PyLong_FromLong(10));
    return names.debug_level && intern(names.reply, "reply") && intern(names.failure, "failure") && intern(names.too_large, "too_large") &&
           add_type(module, spec, state.engine_type);
}

}  // namespace barewire::bind
