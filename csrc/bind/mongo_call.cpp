// Driving one operation from Python: futures, blocking runs, failures. What a reply becomes is in mongo_reply.cpp.
#include "bind/mongo_call.h"

#include <pthread.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include <functional>
#include <new>
#include <utility>

#include "bind/pending.h"
#include "bind/reactor.h"
#include "py/compat.h"
#include "py/guard.h"

namespace barewire::bind {

using net::Failure;
using py::Ref;

namespace {

const char* kind_name(Failure::Kind kind) noexcept {
    switch (kind) {
        case Failure::Kind::none: return "none";
        case Failure::Kind::server_selection: return "server_selection";
        case Failure::Kind::network: return "network";
        case Failure::Kind::network_timeout: return "network_timeout";
        case Failure::Kind::wait_queue_timeout: return "wait_queue_timeout";
        case Failure::Kind::closed: return "closed";
        case Failure::Kind::cancelled: return "cancelled";
        case Failure::Kind::configuration: return "configuration";
        case Failure::Kind::authentication: return "authentication";
        case Failure::Kind::protocol: return "protocol";
        case Failure::Kind::interrupted: return "interrupted";
        case Failure::Kind::out_of_memory: return "out_of_memory";
        case Failure::Kind::server: return "server";
        case Failure::Kind::refused: return "refused";
    }
    return "network";
}

// The thread whose Python code sees signals; a fork's child has only one.
bool in_main_thread() noexcept {
#if defined(__linux__)
    return syscall(SYS_gettid) == getpid();
#elif defined(__APPLE__)
    return pthread_main_np() != 0;
#else
    return true;
#endif
}

}  // namespace

MongoCall::MongoCall(PyObject* engine_object, PyObject* target_object, int wanted)
    : flags(wanted), engine_object_(Ref::share(engine_object)), target_object_(Ref::share(target_object)) {
    Engine& engine = engine_of(engine_object);
    selection_timeout = engine.selection_timeout;
    wait_queue_timeout = engine.wait_queue_timeout;
    socket_timeout = engine.socket_timeout;
    if (target_object == nullptr) return;
    Target& target = target_of(target_object);
    database = target.database;
    read_preference = target.preference;
    const int may_repeat = flags & retry_mask;
    retry = may_repeat == retry_read    ? net::mongo::Retry::read
            : may_repeat == retry_write ? net::mongo::Retry::write
                                        : net::mongo::Retry::never;
    keep_session = (flags & shape_mask) == shape_batch;
}

MongoCall::~MongoCall() = default;

void MongoCall::destroy() noexcept {
    // The blocking twin of the last reference may be the engine's own, dropped without the GIL.
    PyGILState_STATE state = PyGILState_Ensure();
    give_back_session();
    delete this;
    PyGILState_Release(state);
}

MongoState& MongoCall::names() const noexcept { return *engine_of(engine_object_.get()).module->mongo; }

void MongoCall::lend(PyObject* session_object) {
    auto* held = reinterpret_cast<SessionObject*>(session_object)->session;
    session = std::move(held->session);
    session_use = session ? net::mongo::SessionUse::lent : net::mongo::SessionUse::none;
    if (session) session_object_ = Ref::share(session_object);
}

void MongoCall::give_back_session() {
    if (!session) return;
    if (session_object_) {
        reinterpret_cast<SessionObject*>(session_object_.get())->session->session = std::move(session);
    } else {
        Engine& engine = engine_of(engine_object_.get());
        if (engine.client) engine.client->release_session(std::move(session));
    }
}

PyObject* MongoCall::start() {
    Engine& engine = engine_of(engine_object_.get());
    RunningLoop running = running_loop(*engine.module);
    if (!running) return nullptr;
    future_ = new_pending(*engine.module, running.loop);
    if (!future_) return nullptr;
    Ref future = future_.copy();
    starting_ = true;
    engine.open().start(*this, *running.reactor);
    starting_ = false;
    return future.release();
}

PyObject* MongoCall::run() {
    Engine& engine = engine_of(engine_object_.get());
    net::mongo::Client& client = engine.open();
    std::shared_ptr<net::mongo::Client> held = engine.client;  // close() by another thread may drop the engine's
    // A daemon thread that asks for the GIL while the interpreter ends is unwound or stopped for ever inside
    // PyEval_RestoreThread: this reference then keeps the call from being destroyed without the GIL.
    retain();
    PyThreadState* state = PyEval_SaveThread();
    // Signal handlers are Python code: they run here with the GIL. Only the main thread runs them, and it is no daemon.
    const std::function<bool()> interrupted = [&state] {
        if (!in_main_thread()) return false;
        PyEval_RestoreThread(state);
        const bool raised = PyErr_CheckSignals() != 0;
        state = PyEval_SaveThread();
        return raised;
    };
    client.run(*this, interrupted);
    PyEval_RestoreThread(state);
    release();
    if (PyErr_Occurred() != nullptr) {
        give_back_session();
        return nullptr;
    }
    return value().release();
}

bool MongoCall::abandoned() noexcept {
    return !starting_ && future_ && pending_done(future_.get());
}

void MongoCall::completed() noexcept {
    Ref pending = py::take_exception();  // nothing of ours may disturb the caller's, and the other way round
    bool told = true;
    if (reactor_closing()) {
        // The loop is gone: a result would have nobody to go to.
        drop_pending(future_.get());
    } else if (pending_done(future_.get())) {
        give_back_session();  // cancelled meanwhile
    } else if (Ref made = value()) {
        told = resolve_pending(future_.get(), std::move(made));
    } else {
        told = reject_pending(future_.get(), py::take_exception());
    }
    if (!told) PyErr_WriteUnraisable(future_.get());
    future_.reset();
    py::restore_exception(std::move(pending));
}

Ref MongoCall::value() {
    if (failure) {
        give_back_session();
        raise_failure();
        return {};
    }
    Ref made;
    try {
        made = reply_value();
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    give_back_session();  // unless a cursor has taken it
    return made;
}

void MongoCall::raise_failure() {
    if (failure.kind == Failure::Kind::out_of_memory) {
        PyErr_NoMemory();
        return;
    }
    PyObject* selector = target_object_ ? target_of(target_object_.get()).selector.get() : nullptr;
    Ref kind = Ref::steal(PyUnicode_FromString(kind_name(failure.kind)));
    Ref code = Ref::steal(PyLong_FromLong(failure.code));
    Ref message = Ref::steal(PyUnicode_DecodeUTF8(failure.message.data(), static_cast<Py_ssize_t>(failure.message.size()),
                                                  "replace"));
    Ref server_address = Ref::steal(
        PyUnicode_DecodeUTF8(failure.address.data(), static_cast<Py_ssize_t>(failure.address.size()), "replace"));
    Ref bits = Ref::steal(PyLong_FromLong(flags));
    if (!kind || !code || !message || !server_address || !bits) return;
    PyObject* arguments[] = {engine_of(engine_object_.get()).errors.get(), kind.get(), code.get(), message.get(),
                             server_address.get(), bits.get(), selector != nullptr ? selector : Py_None};
    Ref error = Ref::steal(PyObject_VectorcallMethod(names().failure.get(), arguments,
                                                     std::size(arguments) | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
    if (!error) return;
    PyErr_SetObject(reinterpret_cast<PyObject*>(error.type()), error.get());
}

}  // namespace barewire::bind
