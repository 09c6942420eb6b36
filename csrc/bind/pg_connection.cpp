// barewire._core.PgConnection and PgAsyncConnection: lifetime, transactions, notifications, facts. Statements: pg_methods.
#include <new>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bind/mongo_types.h"
#include "bind/pg_connect.h"
#include "bind/pg_listen.h"
#include "bind/pg_methods.h"
#include "bind/pg_plan.h"
#include "bind/pg_pool.h"
#include "bind/pg_query.h"
#include "bind/pg_row_source.h"
#include "bind/pg_together.h"
#include "bind/pg_types.h"
#include "bind/pg_wait.h"
#include "py/compat.h"

namespace barewire::bind {

using py::Ref;

namespace {

// All that live, for a fork's child. With the GIL.
std::unordered_set<PgSession*>& sessions() {
    static auto* all = new std::unordered_set<PgSession*>();  // never destroyed: objects may outlive the module
    return *all;
}

// --- transactions ------------------------------------------------------------------------------------------------------
PyObject* prepend(PyObject* self, PyObject* text) {
    PgSession& session = session_of(self);
    if (!session.usable()) return nullptr;
    const char* data = nullptr;
    std::size_t size = 0;
    if (!statement_text(text, data, size)) return nullptr;
    if (session.link->begin_wanted()) Py_RETURN_FALSE;
    session.link->want_begin({data, size});
    Py_RETURN_TRUE;
}

PyObject* take_back(PyObject* self, PyObject*) {
    PgSession& session = session_of(self);
    if (!session.link->begin_wanted()) Py_RETURN_FALSE;
    session.link->forget_begin();
    Py_RETURN_TRUE;
}

PyObject* in_transaction(PyObject* self, void*) {
    PgSession& session = session_of(self);
    if (session.link->begin_wanted()) Py_RETURN_TRUE;
    switch (session.link->transaction_status()) {
        case net::pg::TransactionStatus::open:
        case net::pg::TransactionStatus::failed: Py_RETURN_TRUE;
        case net::pg::TransactionStatus::active: return PyBool_FromLong(PyList_GET_SIZE(session.transactions.get()) != 0);
        default: Py_RETURN_FALSE;
    }
}

// --- notifications -----------------------------------------------------------------------------------------------------
PyObject* take_notifications(PyObject* self, PyObject*) {
    PgSession& session = session_of(self);
    // What has arrived while nobody used the connection.
    if (session.notifications.empty() && session.link->connected() && !session.link->busy() && !session.turnstile.held()) {
        session.link->poll_input();
    }
    Ref list = Ref::steal(PyList_New(0));
    while (list && !session.notifications.empty()) {
        const Notification& one = session.notifications.front();
        Ref item = Ref::steal(Py_BuildValue("(s#s#i)", one.channel.data(), static_cast<Py_ssize_t>(one.channel.size()),
                                            one.payload.data(), static_cast<Py_ssize_t>(one.payload.size()), one.process));
        if (!item || PyList_Append(list.get(), item.get()) < 0) return nullptr;
        session.notifications.pop_front();
    }
    return list.release();
}

PyObject* return_notifications(PyObject* self, PyObject* list) {
    PgSession& session = session_of(self);
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "a list that _take_notifications gave");
        return nullptr;
    }
    try {
        for (Py_ssize_t i = PyList_GET_SIZE(list) - 1; i >= 0; --i) {
            const char *channel = nullptr, *payload = nullptr;
            Py_ssize_t channel_size = 0, payload_size = 0;
            int process = 0;
            if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "s#s#i", &channel, &channel_size, &payload, &payload_size,
                                  &process)) {
                return nullptr;
            }
            session.notifications.push_front({std::string(channel, static_cast<std::size_t>(channel_size)),
                                              std::string(payload, static_cast<std::size_t>(payload_size)), process});
        }
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

PyObject* wait_notification(PyObject* self, PyObject* seconds) {
    return session_of(self).blocking ? wait_for_notification(self, seconds) : NotificationWait::start(self, seconds);
}

// --- life --------------------------------------------------------------------------------------------------------------
PyObject* open(PyObject* self, PyObject*) { return connect_session(self); }

PyObject* another(PyObject* self, PyObject*) {
    const PgSession& session = session_of(self);
    try {
        return new_pg_connection(Py_TYPE(self), session.profile, session.blocking);
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyObject* cancel(PyObject* self, PyObject*) {
    PgSession& session = session_of(self);
    if (session.opened && !session.closed) session.link->cancel();
    Py_RETURN_NONE;
}

PyObject* close(PyObject* self, PyObject*) {
    PgSession& session = session_of(self);
    if (session.closed) Py_RETURN_NONE;
    if (session.inside > 0) {
        raise_psycopg("ProgrammingError", "the connection cannot be closed by code that it calls itself");
        return nullptr;
    }
    if (session.blocking && session.turnstile.held()) {
        // A thread is using it: its statement is cancelled, it leaves within a tenth of a second.
        session.close_wanted = true;
        if (!session.turnstile.enter()) {
            session.close_wanted = false;
            return nullptr;
        }
        session.turnstile.leave();
    }
    Ref self_kept = Ref::share(self);
    session.closed = true;
    if (session.lent != nullptr) {
        discard_lent(session);
    } else {
        session.link->close();
    }
    wake_waits(session, false);
    Py_RETURN_NONE;
}

PyObject* is_closed(PyObject* self, void*) {
    PgSession& session = session_of(self);
    return PyBool_FromLong(session.closed || (session.opened && !session.link->connected()));
}

PyObject* parameter_status(PyObject* self, PyObject* name) {
    const char* text = PyUnicode_AsUTF8(name);
    if (text == nullptr) return nullptr;
    const char* value = session_of(self).link->connected() ? session_of(self).link->parameter_status(text) : nullptr;
    if (value == nullptr) Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(value, static_cast<Py_ssize_t>(std::char_traits<char>::length(value)), "replace");
}

PyObject* server_version(PyObject* self, void*) { return PyLong_FromLong(session_of(self).link->server_version()); }
PyObject* backend_pid(PyObject* self, void*) { return PyLong_FromLong(session_of(self).link->backend_process()); }
PyObject* libpq_version(PyObject* self, void*) {
    return PyLong_FromLong(session_of(self).profile->engine->library_version());
}
PyObject* cached_statements(PyObject* self, void*) {
    return PyLong_FromSize_t(session_of(self).link->statements().prepared());
}
PyObject* notice_handlers(PyObject* self, void*) { return session_of(self).notice_handlers.shared(); }
PyObject* transactions(PyObject* self, void*) { return session_of(self).transactions.shared(); }

PyObject* is_lent(PyObject* self, void*) { return PyBool_FromLong(session_of(self).lent != nullptr); }

PyObject* cursor_number(PyObject* self, PyObject*) { return PyLong_FromUnsignedLong(++session_of(self).cursors); }

PyObject* make_connection(PyTypeObject* type, PyObject* arguments, bool blocking) {
    PyObject* settings = nullptr;
    if (!PyArg_ParseTuple(arguments, "O:connection", &settings)) return nullptr;
    try {
        std::shared_ptr<const PgProfile> profile = read_profile(*state_of_base(type), settings);
        return profile ? new_pg_connection(type, std::move(profile), blocking) : nullptr;
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyObject* make_blocking(PyTypeObject* type, PyObject* arguments, PyObject*) { return make_connection(type, arguments, true); }
PyObject* make_async(PyTypeObject* type, PyObject* arguments, PyObject*) { return make_connection(type, arguments, false); }

void finalize(PyObject* self) {
    PgSession& session = session_of(self);
    if (!session.opened || session.closed || !session.link->connected()) return;
    Ref outer = py::take_exception();
    int warned;
    if (session.lent != nullptr && session.taken_at) {
        // (code, line) of the statement that took it
        PyObject* code = PyTuple_GET_ITEM(session.taken_at.get(), 0);
        Ref file = Ref::steal(PyObject_GetAttrString(code, "co_filename"));
        if (!file) PyErr_Clear();
        warned = PyErr_ResourceWarning(self, 1, "a pool's connection was never given back; it was taken at %S:%S",
                                       file ? file.get() : Py_None, PyTuple_GET_ITEM(session.taken_at.get(), 1));
    } else {
        warned = PyErr_ResourceWarning(self, 1, "unclosed connection %R", self);
    }
    if (warned != 0) PyErr_WriteUnraisable(self);
    py::restore_exception(std::move(outer));
}

void deallocate(PyObject* self) {
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
    auto* object = reinterpret_cast<PgConnectionObject*>(self);
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (object->weak_references != nullptr) PyObject_ClearWeakRefs(self);
    if (object->session != nullptr) {
        sessions().erase(object->session);
        discard_lent(*object->session);
        object->session->link->close();
        delete object->session;
    }
    type->tp_free(self);
    Py_DECREF(type);  // reference counting: an instance of a heap type owns its type
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    auto* session = reinterpret_cast<PgConnectionObject*>(self)->session;
    if (session == nullptr) return 0;
    Py_VISIT(session->notice_handlers.get());
    Py_VISIT(session->transactions.get());
    return 0;
}

int clear(PyObject* self) {
    // The lists themselves stay: code that still runs may use them.
    auto* session = reinterpret_cast<PgConnectionObject*>(self)->session;
    for (const Ref* list : {&session->notice_handlers, &session->transactions}) {
        if (PyList_SetSlice(list->get(), 0, PyList_GET_SIZE(list->get()), nullptr) < 0) PyErr_WriteUnraisable(self);
    }
    return 0;
}

PyObject* represent(PyObject* self) {
    PgSession& session = session_of(self);
    const char* name = Py_TYPE(self)->tp_name;
    if (session.closed || !session.opened) return PyUnicode_FromFormat("<%s closed>", name);
    if (!session.link->connected()) return PyUnicode_FromFormat("<%s lost>", name);
    return PyUnicode_FromFormat("<%s %s on %s>", name, session.link->info("dbname"), session.link->info("host"));
}

PyObject* after_fork(PyObject*, PyObject*) {
    for (PgSession* session : sessions()) {
        // A lent one is its pool's to forget.
        if (session->lent == nullptr && session->opened && !session->closed) session->link->abandon_after_fork();
        session->lent = nullptr;
        session->link = &session->own;
        session->closed = true;
        session->turnstile.open_after_fork();
    }
    abandon_pg_engines();
    open_gil_gate_after_fork();
    Py_RETURN_NONE;
}

PyObject* close_engines(PyObject*, PyObject*) {
    close_pg_engines();
    Py_RETURN_NONE;
}

const PyMethodDef own_methods[] = {
    {"_connect", open, METH_NOARGS, "Opens the session. Once."},
    {"_another", another, METH_NOARGS, "A further one to the same server with the same options, not yet open."},
    {"_close", close, METH_NOARGS, "Ends the session. Safe to call twice."},
    {"cancel", cancel, METH_NOARGS,
     "cancel()\n\nAsks the server to cancel the statement that runs, which then fails with psycopg.errors.QueryCanceled. "
     "From any thread; does not wait."},
    {"_prepend", prepend, METH_O, "Sends a statement with the next one, in the same flush; False: one is waiting already."},
    {"_take_back", take_back, METH_NOARGS, "Forgets what _prepend was given if it was not sent; whether it was so."},
    {"_take_notifications", take_notifications, METH_NOARGS, "list of (channel, payload, pid) that have come"},
    {"_return_notifications", return_notifications, METH_O, "Puts some back in front."},
    {"_wait_notification", wait_notification, METH_O, "_wait_notification(seconds or None) -> whether one has come"},
    {"_cursor_number", cursor_number, METH_NOARGS, "1, 2, 3, ..."},
    {"parameter_status", parameter_status, METH_O,
     "parameter_status(name) -> what the server has reported (\"TimeZone\", \"server_version\", ...), or None"},
};

PyGetSetDef attributes[] = {
    {"closed", is_closed, nullptr, "Whether it was closed or lost.", nullptr},
    {"in_transaction", in_transaction, nullptr, "Whether a transaction is open, a failed one included.", nullptr},
    {"server_version", server_version, nullptr, "150020: 15.20.", nullptr},
    {"backend_pid", backend_pid, nullptr, "Process id of the server's end.", nullptr},
    {"libpq_version", libpq_version, nullptr, "150020: 15.20.", nullptr},
    {"cached_statements", cached_statements, nullptr, "How many prepared statements of this connection's cache the server holds.", nullptr},
    {"_lent", is_lent, nullptr, "Whether a pool has lent it.", nullptr},
    {"_notice_handlers", notice_handlers, nullptr, nullptr, nullptr},
    {"_transactions", transactions, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMemberDef members[] = {
    py::weak_list_member(offsetof(PgConnectionObject, weak_references)),
    {nullptr, 0, 0, 0, nullptr},
};

PyMethodDef functions[] = {
    {"pg_after_fork", after_fork, METH_NOARGS, "In a fork's child: forgets the parent's connections."},
    {"pg_close_gate", close_gil_gate, METH_NOARGS, "At exit: waiting threads do not come back."},
    {"pg_close_engines", close_engines, METH_NOARGS, "At exit: ends the threads that serve connections."},
    {nullptr, nullptr, 0, nullptr},
};

// Method tables live as long as their types.
PyMethodDef* all_methods() {
    static std::vector<PyMethodDef>* all = [] {
        auto* made = new std::vector<PyMethodDef>(std::begin(own_methods), std::end(own_methods));
        made->insert(made->end(), pg_statement_methods, pg_statement_methods + pg_statement_method_count);
        made->push_back({nullptr, nullptr, 0, nullptr});
        return made;
    }();
    return all->data();
}

bool add_one(PyObject* module, const char* name, newfunc make, const char* text, Ref& place) {
    PyType_Slot slots[] = {
        {Py_tp_doc, const_cast<char*>(text)},
        {Py_tp_new, reinterpret_cast<void*>(make)},
        {Py_tp_finalize, reinterpret_cast<void*>(&finalize)},
        {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
        {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
        {Py_tp_clear, reinterpret_cast<void*>(&clear)},
        {Py_tp_repr, reinterpret_cast<void*>(&represent)},
        {Py_tp_methods, all_methods()},
        {Py_tp_getset, attributes},
        {Py_tp_members, members},
        {0, nullptr},
    };
    PyType_Spec spec = {name, sizeof(PgConnectionObject), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE, slots};
    return add_type(module, spec, place);
}

}  // namespace

ModuleState* state_of_base(PyTypeObject* type) noexcept {
    // A Python class knows no module of ours; the type below it does.
    for (; type != nullptr; type = type->tp_base) {
        if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0) break;
        if (void* state = PyType_GetModuleState(type)) return static_cast<ModuleState*>(state);
        PyErr_Clear();
    }
    return nullptr;
}

PyObject* new_pg_connection(PyTypeObject* type, std::shared_ptr<const PgProfile> profile, bool blocking) {
    Ref self = Ref::steal(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    auto session = std::make_unique<PgSession>();
    session->settings.json_loads = profile->json_loads.copy();
    session->settings.json_dumps = profile->json_dumps.copy();
    session->profile = std::move(profile);
    session->blocking = blocking;
    session->notice_handlers = Ref::steal(PyList_New(0));
    session->transactions = Ref::steal(PyList_New(0));
    if (!session->notice_handlers || !session->transactions) return nullptr;
    sessions().insert(session.get());
    reinterpret_cast<PgConnectionObject*>(self.get())->session = session.release();
    return self.release();
}

bool add_pg_connection(PyObject* module, ModuleState& state) {
    state.pg = std::make_shared<PgState>();
    return add_one(module, "barewire._core.PgConnection", &make_blocking, "A blocking session with a server.",
                   state.pg->connection_type) &&
           add_one(module, "barewire._core.PgAsyncConnection", &make_async, "A session with a server, for event loops.",
                   state.pg->async_connection_type) &&
           add_pg_row_source(module, state) && add_pg_together(module, state) &&
           PyModule_AddIntConstant(module, "PG_STATUS", static_cast<long>(PgWhat::status)) == 0 &&
           PyModule_AddIntConstant(module, "PG_ROWS", static_cast<long>(PgWhat::rows)) == 0 &&
           PyModule_AddIntConstant(module, "PG_ROW", static_cast<long>(PgWhat::row)) == 0 &&
           PyModule_AddIntConstant(module, "PG_VALUE", static_cast<long>(PgWhat::value)) == 0 &&
           PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace barewire::bind
