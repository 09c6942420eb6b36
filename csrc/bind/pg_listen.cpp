// Waiting for notifications; how they are read is net's business.
#include "bind/pg_listen.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <utility>

#include "bind/pg_call.h"
#include "bind/pg_plan.h"
#include "bind/pg_wait.h"
#include "bind/reactor.h"
#include "py/compat.h"

namespace barewire::bind {

using net::pg::Clock;
using py::Ref;

namespace {

// False with a Python error set; time_point::max() for None.
bool deadline_of(PyObject* seconds, Clock::time_point& out) {
    out = Clock::time_point::max();
    if (seconds == nullptr || seconds == Py_None) return true;
    const double value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred() != nullptr) return false;
    if (!(value >= 0)) {
        PyErr_SetString(PyExc_ValueError, "timeout must be a number of seconds, not negative");
        return false;
    }
    if (value < 1e9) {
        out = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(value));
    }
    return true;
}

}  // namespace

PyObject* NotificationWait::start(PyObject* connection, PyObject* seconds) {
    PgSession& session = session_of(connection);
    Clock::time_point deadline;
    if (!deadline_of(seconds, deadline)) return nullptr;
    RunningLoop running = running_loop(*session.profile->module);
    if (!running || !session.usable() || !enter_loop(session, *running.reactor)) return nullptr;
    Ref future = new_pending(*session.profile->module, running.loop, true);
    if (!future) return nullptr;
    if (!session.notifications.empty()) {
        if (!resolve_pending(future.get(), Ref::share(Py_True))) return nullptr;
        return future.release();
    }
    std::unique_ptr<NotificationWait> wait;
    try {
        wait.reset(new NotificationWait(connection));
        session.waits.reserve(session.waits.size() + 1);
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
    if (!session.link->watch(*running.reactor) ||
        (deadline != Clock::time_point::max() && !running.reactor->arm(*wait, deadline))) {
        if (session.waits.empty()) session.link->unwatch();
        raise_psycopg("OperationalError", "the event loop is closed");
        return nullptr;
    }
    wait->future_ = future.copy();
    tell_cancellation(future.get(), wait.get());
    session.waits.push_back(wait.release());
    return future.release();
}

void NotificationWait::end() noexcept {
    PgSession& session = session_of(connection_.get());
    if (armed()) {
        if (std::shared_ptr<net::Reactor> reactor = session.reactor.lock()) reactor->disarm(*this);
    }
    auto found = std::find(session.waits.begin(), session.waits.end(), this);
    if (found != session.waits.end()) session.waits.erase(found);
    if (session.waits.empty()) session.link->unwatch();
    delete this;
}

void NotificationWait::wake(bool connected) noexcept {
    Ref outer = py::take_exception();
    Ref future = std::move(future_);
    tell_cancellation(future.get(), nullptr);
    bool told = true;
    if (reactor_closing()) {
        drop_pending(future.get());
    } else if (connected) {
        told = resolve_pending(future.get(), Ref::share(Py_True));
    } else {
        raise_psycopg("OperationalError", "the connection is lost");
        told = reject_pending(future.get(), py::take_exception());
    }
    if (!told) PyErr_WriteUnraisable(future.get());
    end();
    py::restore_exception(std::move(outer));
}

void NotificationWait::expired() noexcept {
    Ref future = std::move(future_);
    tell_cancellation(future.get(), nullptr);
    if (!resolve_pending(future.get(), Ref::share(Py_False))) PyErr_WriteUnraisable(future.get());
    end();
}

void NotificationWait::abandoned() noexcept {
    drop_pending(future_.get());
    end();
}

void NotificationWait::cancelled() noexcept { end(); }

void wake_waits(PgSession& session, bool connected) noexcept {
    // Each takes itself out of the list.
    while (!session.waits.empty()) session.waits.back()->wake(connected);
}

PyObject* wait_for_notification(PyObject* connection, PyObject* seconds) {
    PgSession& session = session_of(connection);
    Clock::time_point deadline;
    if (!deadline_of(seconds, deadline)) return nullptr;
    // In short turns: other threads run their statements between two of them.
    constexpr std::chrono::milliseconds turn{50};
    for (;;) {
        if (!session.turnstile.enter()) return nullptr;
        bool raised = !session.usable(), there = false, over = false;
        if (!raised) {
            PgWait wait(session);
            const Clock::time_point now = Clock::now();
            over = deadline <= now;
            if (session.notifications.empty()) session.link->wait_input(wait, std::min(deadline, now + turn));
            there = !session.notifications.empty();
            raised = wait.raise() || (!there && !session.usable());
        }
        session.turnstile.leave();
        if (raised) return nullptr;
        session.deliver_notices();
        if (there) Py_RETURN_TRUE;
        if (over) Py_RETURN_FALSE;
    }
}

}  // namespace barewire::bind
