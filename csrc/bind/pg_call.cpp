// Driving one PostgreSQL operation from Python: futures, blocking runs, unknown types, failures.
#include "bind/pg_call.h"

#include <chrono>
#include <cmath>
#include <iterator>
#include <new>

#include "bind/pg_lookup.h"
#include "bind/pg_plan.h"
#include "bind/pg_wait.h"
#include "bind/reactor.h"
#include "py/compat.h"
#include "py/guard.h"

namespace barewire::bind {

using net::Failure;
using net::pg::Operation;
using py::Ref;

namespace {

const char* kind_name(Failure::Kind kind, PgFailed what) noexcept {
    switch (kind) {
        case Failure::Kind::none: return "none";
        case Failure::Kind::server_selection: return "network";
        case Failure::Kind::network: return "network";
        case Failure::Kind::network_timeout: return what == PgFailed::statement ? "statement_timeout" : "network_timeout";
        case Failure::Kind::wait_queue_timeout: return "wait_queue_timeout";
        case Failure::Kind::closed: return what == PgFailed::pool ? "pool_closed" : "closed";
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

Ref bytes(std::string_view from) {
    return Ref::steal(PyBytes_FromStringAndSize(from.data(), static_cast<Py_ssize_t>(from.size())));
}

constexpr char error_fields[] = {'S', 'V', 'C', 'M', 'D', 'H', 'P', 'p', 'q', 'W', 's', 't', 'c', 'd', 'n', 'F', 'L', 'R'};

}  // namespace

// server_error(message: bytes, fields: dict[int, bytes]) -> exception
Ref pg_server_error(const PgProfile& profile, const net::pg::Result& error) {
    Ref message = bytes(error.error_message());
    Ref fields = Ref::steal(PyDict_New());
    if (!message || !fields) return {};
    for (char letter : error_fields) {
        const std::string_view field = error.error_field(static_cast<net::pg::ErrorField>(letter));
        if (field.empty()) continue;
        Ref key = Ref::steal(PyLong_FromLong(letter));
        Ref text = bytes(field);
        if (!key || !text || PyDict_SetItem(fields.get(), key.get(), text.get()) < 0) return {};
    }
    PyObject* arguments[] = {message.get(), fields.get()};
    py::StayWhenUnwound stay;
    Ref made = Ref::steal(PyObject_Vectorcall(profile.server_error.get(), arguments, 2, nullptr));
    stay.returned();
    return made;
}

void raise_pg_failure(const PgProfile& profile, const Failure& failure, const net::pg::OwnedResult& error,
                      PgFailed what) {
    if (failure.kind == Failure::Kind::out_of_memory) {
        PyErr_NoMemory();
        return;
    }
    Ref made;
    if (error) {
        made = pg_server_error(profile, error.view());
    } else {
        Ref kind = Ref::steal(PyUnicode_FromString(kind_name(failure.kind, what)));
        Ref message = Ref::steal(PyUnicode_DecodeUTF8(failure.message.data(),
                                                      static_cast<Py_ssize_t>(failure.message.size()), "replace"));
        if (!kind || !message) return;
        PyObject* arguments[] = {kind.get(), message.get()};
        py::StayWhenUnwound stay;
        made = Ref::steal(PyObject_Vectorcall(profile.failure.get(), arguments, 2, nullptr));
        stay.returned();
    }
    if (!made) return;
    if (!PyExceptionInstance_Check(made.get())) {
        PyErr_SetString(PyExc_TypeError, "the functions of barewire.pg._errors must return exceptions");
        return;
    }
    PyErr_SetObject(reinterpret_cast<PyObject*>(made.type()), made.get());
}

bool PgCall::set_timeout(PyObject* seconds) {
    if (seconds == nullptr || seconds == Py_None) return true;
    const double value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred() != nullptr) return false;
    if (!(value > 0)) {
        PyErr_SetString(PyExc_ValueError, "timeout must be a positive number of seconds");
        return false;
    }
    if (value < 1e9) {
        operation().timeout =
            std::chrono::duration_cast<net::pg::Clock::duration>(std::chrono::duration<double>(value));
        if (operation().timeout.count() == 0) operation().timeout = std::chrono::microseconds(1);
    }
    return true;
}

PyObject* PgCall::go() {
    PgSession& inner = session();
    if (inner.inside > 0) {
        raise_psycopg("ProgrammingError",
                      "the connection cannot be used by code that it calls itself: an iterable of rows, a JSON function, a "
                      "factory of values");
        return nullptr;
    }
    if (inner.together) return inner.usable() ? start_on(*inner.together, Py_None) : nullptr;
    return inner.blocking ? run() : start();
}

// --- event loops -------------------------------------------------------------------------------------------------------
PyObject* PgCall::start() {
    PgSession& inner = session();
    RunningLoop running = running_loop(*inner.profile->module);
    if (!running || !inner.usable()) return nullptr;
    return start_on(*running.reactor, running.loop);
}

PyObject* PgCall::start_on(net::Reactor& reactor, PyObject* loop) {
    PgSession& inner = session();
    if (!enter_loop(inner, reactor)) return nullptr;
    future_ = new_pending(*inner.profile->module, loop, true);
    if (!future_) return nullptr;
    tell_cancellation(future_.get(), this);
    Ref future = future_.copy();
    inner.submit(operation(), reactor, single_statement());
    return future.release();
}

void PgCall::cancelled() noexcept {
    given_up_ = true;
    PgSession& inner = session();
    // From inside one of our own callbacks it is too early: they look at given_up() when they are done.
    if (operation().finished || inner.inside > 0) return;
    Ref kept = connection_.copy();
    Ref pending = py::take_exception();
    Failure why;
    why.kind = Failure::Kind::cancelled;
    operation().give_up(std::move(why));
    py::restore_exception(std::move(pending));
}

void PgCall::completed_on_loop() noexcept {
    Ref outer = py::take_exception();  // nothing of ours may disturb the caller's, and the other way round
    Ref connection = connection_.copy();
    if (reactor_closing()) {
        drop_pending(future_.get());  // the loop is gone: a result would have nobody to go to
        future_.reset();
    } else if (given_up_ || pending_done(future_.get())) {
        tell_cancellation(future_.get(), nullptr);
        future_.reset();
    } else if (!unknown_types_.empty() && operation().failure.kind == Failure::Kind::refused) {
        if (!look_up_on_loop()) {
            if (PyErr_Occurred() == nullptr) raise();
            tell({});
        }
    } else {
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
        tell(std::move(made));
    }
    session_of(connection.get()).deliver_notices();
    py::restore_exception(std::move(outer));
}

void PgCall::tell(Ref made) noexcept {
    Ref future = std::move(future_);
    tell_cancellation(future.get(), nullptr);
    const bool told = made ? resolve_pending(future.get(), std::move(made))
                           : reject_pending(future.get(), py::take_exception());
    if (!told) PyErr_WriteUnraisable(future.get());
}

bool PgCall::look_up_on_loop() {
    PgCall* next = again();
    if (next == nullptr) return false;
    CallOwner<Operation> owner(&next->operation());
    next->take_over(*this);
    PgSession& inner = session();
    std::shared_ptr<net::Reactor> reactor = inner.reactor.lock();
    CallOwner<TypeLookup> lookup(TypeLookup::make(connection_.get(), unknown_types_, server_version_));
    if (!reactor || !lookup) {
        if (!PyErr_Occurred()) raise_psycopg("OperationalError", "the event loop is closed");
        next->tell({});
        return true;
    }
    lookup->then(std::move(owner), *next);
    inner.submit(*lookup, *reactor, {});
    return true;
}

void PgCall::take_over(PgCall& other) {
    operation().timeout = other.operation().timeout;
    future_ = std::move(other.future_);
    if (future_) tell_cancellation(future_.get(), this);
}

void PgCall::looked_up(bool known) noexcept {
    if (given_up_ || pending_done(future_.get())) {
        tell_cancellation(future_.get(), nullptr);
        future_.reset();
        return;
    }
    PgSession& inner = session();
    std::shared_ptr<net::Reactor> reactor = inner.reactor.lock();
    if (known && !reactor) {
        raise_psycopg("OperationalError", "the event loop is closed");
        known = false;
    }
    if (known) {
        inner.submit(operation(), *reactor, single_statement());
    } else {
        tell({});
    }
}

// --- blocking callers --------------------------------------------------------------------------------------------------
PyObject* PgCall::run() {
    PgSession& inner = session();
    if (!inner.turnstile.enter()) return nullptr;
    Ref made;
    if (inner.usable()) {
        made = run_inside();
    }
    inner.turnstile.leave();
    Ref raised = made ? Ref() : py::take_exception();
    inner.deliver_notices();
    if (raised) py::restore_exception(std::move(raised));
    return made.release();
}

Ref PgCall::run_inside() {
    PgSession& inner = session();
    PgWait wait(inner);
    inner.link->run(operation(), wait);
    if (wait.raise()) return {};
    if (!unknown_types_.empty() && operation().failure.kind == Failure::Kind::refused) {
        CallOwner<TypeLookup> lookup(TypeLookup::make(connection_.get(), unknown_types_, server_version_));
        if (!lookup) return {};
        if (!static_cast<PgCall&>(*lookup).run_inside()) return {};
        PgCall* next = again();
        if (next == nullptr) return {};
        CallOwner<Operation> owner(&next->operation());
        next->take_over(*this);
        return next->run_inside();
    }
    if (operation().failure) {
        raise();
        return {};
    }
    try {
        return value();
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return {};
    }
}

// --- failures ----------------------------------------------------------------------------------------------------------
void PgCall::keep_error() {
    Ref raised = py::take_exception();
    if (!error_) error_ = std::move(raised);
}

void PgCall::raise() {
    if (error_) {
        py::restore_exception(std::move(error_));
        return;
    }
    const bool of_pool = session().shared && operation().failure.kind == Failure::Kind::closed;
    raise_pg_failure(*session().profile, operation().failure, operation().error,
                     of_pool ? PgFailed::pool : PgFailed::statement);
}

}  // namespace barewire::bind
