// Lending a pool's connections: on event loops with a future, on threads by waiting; and taking them back.
#include <new>
#include <utility>

#include "bind/pending.h"
#include "bind/pg_call.h"
#include "bind/pg_listen.h"
#include "bind/pg_plan.h"
#include "bind/pg_pool.h"
#include "bind/pg_wait.h"
#include "bind/reactor.h"
#include "py/compat.h"

namespace barewire::bind {

using net::Failure;
using net::pg::Clock;
using net::pg::PooledConnection;
using py::Ref;

namespace {

// False with a Python error set. None and nullptr: `usual`; zero is no limit for net.
bool read_timeout(PyObject* seconds, Clock::duration usual, Clock::duration& out) {
    out = usual;
    if (seconds == nullptr || seconds == Py_None) return true;
    const double value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred() != nullptr) return false;
    if (!(value > 0)) {
        PyErr_SetString(PyExc_ValueError, "timeout must be a positive number of seconds");
        return false;
    }
    out = value < 1e9 ? std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(value)) : Clock::duration{};
    if (value < 1e9 && out.count() == 0) out = std::chrono::microseconds(1);
    return true;
}

void lend(PyObject* connection, PyObject* pool, PooledConnection& lent) {
    PgSession& session = session_of(connection);
    session.link = &lent;
    session.lent = &lent;
    session.pool = Ref::share(pool);
    session.opened = true;
    session.closed = false;
    session.lent_once = true;
    lent.observer = &session;
}

// Nothing of the session points to the connection any more.
PooledConnection* take_back(PgSession& session) noexcept {
    PooledConnection* lent = std::exchange(session.lent, nullptr);
    session.link = &session.own;
    session.closed = true;
    wake_waits(session, false);
    return lent;
}

// A connection object for a lent connection; empty with a Python error set.
Ref new_lent(PyObject* pool, PooledConnection& lent, PyObject* taken_at) {
    PgPool& inner = pool_of(pool);
    Ref made = Ref::steal(new_pg_connection(reinterpret_cast<PyTypeObject*>(inner.connection_type.get()), inner.profile,
                                            inner.blocking));
    if (!made) return {};
    lend(made.get(), pool, lent);
    if (taken_at != nullptr && taken_at != Py_None) session_of(made.get()).taken_at = Ref::share(taken_at);
    return made;
}

void raise_failure(const PgPool& pool, const Failure& failure) { raise_pg_failure(*pool.profile, failure, {}, PgFailed::pool); }

// --- event loops -------------------------------------------------------------------------------------------------------
// Keeps itself alive until it is told.
class PoolRequest final : public net::pg::Acquiring, private Cancellation {
public:
    static PyObject* start(PyObject* pool, Clock::duration timeout, PyObject* taken_at) {
        PgPool& inner = pool_of(pool);
        RunningLoop running = running_loop(*inner.profile->module);
        if (!running) return nullptr;
        Ref future = new_pending(*inner.profile->module, running.loop, true);
        if (!future) return nullptr;
        auto* request = new (std::nothrow) PoolRequest();
        if (request == nullptr) return PyErr_NoMemory();
        request->pool_ = Ref::share(pool);
        request->future_ = future.copy();
        request->taken_at_ = Ref::share(taken_at != nullptr ? taken_at : Py_None);
        request->reactor_ = running.reactor->shared_from_this();
        tell_cancellation(future.get(), request);
        request->Acquiring::start(inner.pool, *running.reactor, timeout);
        return future.release();
    }

private:
    void acquired(PooledConnection& connection) noexcept override {
        Ref outer = py::take_exception();
        tell_cancellation(future_.get(), nullptr);
        Ref made;
        if (!pending_done(future_.get())) {
            try {
                made = new_lent(pool_.get(), connection, taken_at_.get());
            } catch (const std::bad_alloc&) {
                PyErr_NoMemory();
            }
        }
        bool told = true;
        if (made) {
            session_of(made.get()).reactor = reactor_;
            told = resolve_pending(future_.get(), std::move(made));
        } else {
            pool_of(pool_.get()).pool->release(connection, *reactor_);
            if (!pending_done(future_.get())) told = reject_pending(future_.get(), py::take_exception());
        }
        end(told, std::move(outer));
    }

    void not_acquired(const Failure& why) noexcept override {
        Ref outer = py::take_exception();
        tell_cancellation(future_.get(), nullptr);
        bool told = true;
        if (!pending_done(future_.get())) {
            raise_failure(pool_of(pool_.get()), why);
            told = reject_pending(future_.get(), py::take_exception());
        }
        end(told, std::move(outer));
    }

    void dropped() noexcept override {
        PyGILState_STATE state = PyGILState_Ensure();
        drop_pending(future_.get());
        delete this;
        PyGILState_Release(state);
    }

    void cancelled() noexcept override { Acquiring::cancel(); }

    void end(bool told, Ref outer) noexcept {
        if (!told) PyErr_WriteUnraisable(future_.get());
        delete this;
        py::restore_exception(std::move(outer));
    }

    Ref pool_, future_, taken_at_;
    std::shared_ptr<net::Reactor> reactor_;
};

// --- threads -----------------------------------------------------------------------------------------------------------
PooledConnection* acquire_here(PyObject* pool, Clock::duration timeout) {
    PgPool& inner = pool_of(pool);
    if (PooledConnection* free = inner.pool->try_acquire()) return free;
    PgSession nobody;   // whose closing nobody wants
    PgWait wait(nobody);
    Failure failure;
    std::shared_ptr<net::pg::ConnectionPool> held = inner.pool;
    PooledConnection* found = held->acquire(timeout, wait, failure);
    if (wait.raise()) {
        if (found != nullptr) {
            Ref raised = py::take_exception();
            held->release(*found, wait);
            py::restore_exception(std::move(raised));
        }
        return nullptr;
    }
    if (found == nullptr) raise_failure(inner, failure);
    return found;
}

}  // namespace

void PgPool::look_after() {
    const Clock::time_point now = Clock::now();
    if (now - maintained < std::chrono::seconds(2)) return;
    maintained = now;
    pool->maintain();
}

PyObject* acquire_connection(PyObject* pool, PyObject* timeout, PyObject* taken_at) {
    PgPool& inner = pool_of(pool);
    Clock::duration limit;
    if (!read_timeout(timeout, inner.timeout, limit)) return nullptr;
    inner.look_after();
    if (!inner.blocking) return PoolRequest::start(pool, limit, taken_at);
    PooledConnection* lent = acquire_here(pool, limit);
    if (lent == nullptr) return nullptr;
    Ref made;
    try {
        made = new_lent(pool, *lent, taken_at);
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    if (!made) inner.pool->discard(*lent);
    return made.release();
}

bool give_back(PyObject* connection) {
    PgSession& session = session_of(connection);
    if (session.lent == nullptr) {
        raise_psycopg("ProgrammingError", session.lent_once ? "the connection was given back already"
                                                            : "the connection is not of a pool");
        return false;
    }
    if (session.inside > 0) {
        raise_psycopg("ProgrammingError", "the connection cannot be given back by code that it calls itself");
        return false;
    }
    Ref pool = session.pool.copy();
    PgPool& inner = pool_of(pool.get());
    if (!session.blocking) {
        std::shared_ptr<net::Reactor> reactor = session.reactor.lock();
        PooledConnection& lent = *take_back(session);
        if (reactor && !reactor->closed()) {
            inner.pool->release(lent, *reactor);
        } else {
            inner.pool->discard(lent);
        }
        return true;
    }
    if (!session.turnstile.enter()) return false;   // a thread that still uses it
    PgWait wait(session);
    PooledConnection* lent = session.lent;
    if (lent != nullptr) {
        take_back(session);
        inner.pool->release(*lent, wait);
    }
    session.turnstile.leave();
    return !wait.raise();
}

void discard_lent(PgSession& session) noexcept {
    if (session.lent == nullptr) return;
    Ref pool = session.pool.copy();
    PooledConnection& lent = *take_back(session);
    pool_of(pool.get()).pool->discard(lent);
}

PyObject* shared_connection(PyObject* pool) {
    PgPool& inner = pool_of(pool);
    RunningLoop running = running_loop(*inner.profile->module);
    if (!running) return nullptr;
    inner.look_after();
    auto found = inner.loops.find(running.reactor);
    if (found != inner.loops.end() && !found->second.reactor.expired()) return found->second.connection.get();
    try {
        for (auto at = inner.loops.begin(); at != inner.loops.end();) {
            at = at->second.reactor.expired() ? inner.loops.erase(at) : std::next(at);
        }
        auto* type = reinterpret_cast<PyTypeObject*>(inner.profile->module->pg->async_connection_type.get());
        Ref made = Ref::steal(new_pg_connection(type, inner.profile, false));
        if (!made) return nullptr;
        PgSession& session = session_of(made.get());
        session.shared = std::make_shared<net::pg::SharedConnections>(inner.pool, *running.reactor, inner.most_shared,
                                                                      inner.timeout);
        session.pipelining = inner.pipelining;
        session.reactor = running.reactor->shared_from_this();
        PgPool::Loop& place = inner.loops[running.reactor];
        place = {session.reactor, std::move(made)};
        return place.connection.get();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyObject* LentHere::take() {
    PgPool& inner = pool_of(pool_);
    inner.look_after();
    PooledConnection* lent = acquire_here(pool_, inner.timeout);
    if (lent == nullptr) return nullptr;
    try {
        if (!inner.free.empty()) {
            connection_ = std::move(inner.free.back());
            inner.free.pop_back();
        } else {
            auto* type = reinterpret_cast<PyTypeObject*>(inner.profile->module->pg->connection_type.get());
            connection_ = Ref::steal(new_pg_connection(type, inner.profile, true));
        }
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    if (!connection_) {
        inner.pool->discard(*lent);
        return nullptr;
    }
    lend(connection_.get(), pool_, *lent);
    return connection_.get();
}

LentHere::~LentHere() {
    if (!connection_) return;
    Ref raised = py::take_exception();
    if (!give_back(connection_.get())) {
        // A signal handler raised while it was reset: that is what the caller sees.
        if (!raised) raised = py::take_exception();
        PyErr_Clear();
    }
    PgSession& session = session_of(connection_.get());
    session.pool.reset();   // no cycle with the pool's list
    session.notifications.clear();
    PgPool& inner = pool_of(pool_);
    if (inner.free.size() < 64) {
        try {
            inner.free.push_back(std::move(connection_));
        } catch (const std::bad_alloc&) {
        }
    }
    py::restore_exception(std::move(raised));
}

}  // namespace barewire::bind
