// Connecting: who waits, and what the failure becomes. The handshake is net's.
#include "bind/pg_connect.h"

#include <new>
#include <utility>

#include "bind/pending.h"
#include "bind/pg_call.h"
#include "bind/pg_plan.h"
#include "bind/pg_wait.h"
#include "bind/reactor.h"
#include "py/compat.h"

namespace barewire::bind {

using py::Ref;

namespace {

// False with a Python error set.
bool adopt(PgSession& session, pg_conn* made) {
    session.link->statements().size_limit = session.profile->statement_cache_size;
    session.link->statements().on_server = session.profile->statement_cache_size != 0;
    session.link->observer = &session;
    if (!session.link->adopt(session.profile->engine, made)) {
        PyErr_NoMemory();
        return false;
    }
    session.opened = true;
    return true;
}

// Keeps itself alive until it is told.
class Opening final : public net::pg::Connecting, private Cancellation {
public:
    static PyObject* start(PyObject* connection) {
        PgSession& session = session_of(connection);
        RunningLoop running = running_loop(*session.profile->module);
        if (!running || !enter_loop(session, *running.reactor)) return nullptr;
        Ref future = new_pending(*session.profile->module, running.loop, true);
        if (!future) return nullptr;
        std::unique_ptr<Opening> opening(new (std::nothrow) Opening(connection, future.get()));
        if (!opening) return PyErr_NoMemory();
        if (!opening->Connecting::start(session.profile->engine, session.profile->options, *running.reactor)) {
            raise_pg_failure(*session.profile, opening->failure, {}, PgFailed::connecting);
            return nullptr;
        }
        tell_cancellation(future.get(), opening.get());
        (void)opening.release();
        return future.release();
    }
    ~Opening() = default;

private:
    Opening(PyObject* connection, PyObject* future) : connection_(Ref::share(connection)), future_(Ref::share(future)) {}

    void connected(pg_conn* made) noexcept override {
        Ref outer = py::take_exception();
        PgSession& session = session_of(connection_.get());
        bool told = true;
        if (made != nullptr && (pending_done(future_.get()) || session.closed)) {
            // Nobody wants it any more: opened and closed again.
            if (adopt(session, made)) session.link->close();
            PyErr_Clear();
            made = nullptr;
        }
        tell_cancellation(future_.get(), nullptr);
        if (pending_done(future_.get())) {
            // cancelled meanwhile
        } else if (made != nullptr && adopt(session, made)) {
            told = resolve_pending(future_.get(), Ref::none());
        } else {
            if (PyErr_Occurred() == nullptr) {
                if (session.closed) {
                    raise_psycopg("OperationalError", "the connection is closed");
                } else {
                    raise_pg_failure(*session.profile, failure, {}, PgFailed::connecting);
                }
            }
            told = reject_pending(future_.get(), py::take_exception());
        }
        if (!told) PyErr_WriteUnraisable(future_.get());
        py::restore_exception(std::move(outer));
        delete this;
    }

    void dropped() noexcept override {
        PyGILState_STATE state = PyGILState_Ensure();
        drop_pending(future_.get());
        delete this;
        PyGILState_Release(state);
    }

    void cancelled() noexcept override { Connecting::cancel(); }

    Ref connection_, future_;
};

PyObject* connect_here(PyObject* connection) {
    PgSession& session = session_of(connection);
    if (!session.turnstile.enter()) return nullptr;
    PgWait wait(session);
    net::Failure failure;
    wait.release_gil();
    pg_conn* made = net::pg::connect(*session.profile->engine, *session.profile->options, wait.interrupt(), failure);
    wait.take_gil();
    bool good = false;
    if (wait.raise()) {
        Ref raised = py::take_exception();
        if (made != nullptr && adopt(session, made)) session.link->close();
        py::restore_exception(std::move(raised));
    } else if (made == nullptr) {
        raise_pg_failure(*session.profile, failure, {}, PgFailed::connecting);
    } else {
        good = adopt(session, made);
    }
    session.turnstile.leave();
    if (!good) return nullptr;
    Py_RETURN_NONE;
}

}  // namespace

PyObject* connect_session(PyObject* connection) {
    PgSession& session = session_of(connection);
    if (session.opened || session.closed) {
        raise_psycopg("ProgrammingError", "a connection object can be opened only once");
        return nullptr;
    }
    return session.blocking ? connect_here(connection) : Opening::start(connection);
}

}  // namespace barewire::bind
