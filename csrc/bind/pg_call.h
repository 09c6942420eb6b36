// One PostgreSQL operation that Python asked for: the future or the thread that waits for it, and how it ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "bind/pending.h"
#include "bind/pg_types.h"
#include "net/pg/operation.h"
#include "py/python.h"
#include "py/ref.h"

namespace barewire::bind {

// The side that Python sees; the side that net sees is an Operation, see Call. Made, finished and destroyed with the GIL.
class PgCall : private Cancellation {
public:
    explicit PgCall(PyObject* connection) : connection_(py::Ref::share(connection)) {}
    PgCall(const PgCall&) = delete;
    PgCall& operator=(const PgCall&) = delete;

    // False with TypeError or ValueError set. None and nullptr: no limit.
    [[nodiscard]] bool set_timeout(PyObject* seconds);
    // By the kind of the connection: starts it and gives a future, or runs it and gives its value. nullptr with a Python
    // error set.
    PyObject* go();

protected:
    virtual ~PgCall() = default;

    virtual net::pg::Operation& operation() noexcept = 0;
    // What it has become, after it ended without a failure. Empty with a Python error set.
    virtual py::Ref value() = 0;
    // The exception of a failure, set as the Python error.
    virtual void raise();
    // A call like this one, not yet run, that takes everything over; nullptr when it cannot be run again.
    virtual PgCall* again() { return nullptr; }

    PgSession& session() const noexcept { return session_of(connection_.get()); }
    // In a callback: keeps the Python error for the caller. The callback then refuses or stops.
    void keep_error();
    void forget_error() noexcept { error_.reset(); }
    // In a callback: these types must be looked up before it can be run; it is then run again. The callback refuses.
    void need_types(std::vector<std::uint32_t> oids) {
        unknown_types_ = std::move(oids);
        server_version_ = operation().server_version();
    }
    // The text of a single statement, by which a pool sees whether it may share a connection; empty: it may not.
    virtual std::string_view single_statement() const noexcept { return {}; }
    bool given_up() const noexcept { return given_up_; }

    // The operation has ended on an event loop.
    virtual void completed_on_loop() noexcept;
    void take_over(PgCall& other);

    py::Ref connection_;

private:
    friend class TypeLookup;
    PyObject* start();
    PyObject* start_on(net::Reactor& reactor, PyObject* loop);
    PyObject* run();
    py::Ref run_inside();
    void tell(py::Ref made) noexcept;  // empty: the Python error that is set
    bool look_up_on_loop();
    // The types that were unknown are known now, or a Python error is set.
    void looked_up(bool known) noexcept;
    void cancelled() noexcept override;

    py::Ref future_, error_;
    std::vector<std::uint32_t> unknown_types_;
    int server_version_ = 0;
    bool given_up_ = false;
};

// Joins both sides. `Base` is one of net's operations.
template <class Base>
class Call : public Base, public PgCall {
public:
    explicit Call(PyObject* connection) : PgCall(connection) {}

protected:
    net::pg::Operation& operation() noexcept final { return *this; }
    void completed() noexcept final { completed_on_loop(); }
    void destroy() noexcept final {
        PyGILState_STATE state = PyGILState_Ensure();
        delete this;
        PyGILState_Release(state);
    }
};

// Frees with release() what `new` made.
struct ReleaseOperation {
    void operator()(net::pg::Operation* operation) const noexcept { operation->release(); }
};
template <class Kind>
using CallOwner = std::unique_ptr<Kind, ReleaseOperation>;

// The exception of a server's error; empty with a Python error set.
py::Ref pg_server_error(const PgProfile& profile, const net::pg::Result& error);

// What a failure was the failure of.
enum class PgFailed : std::uint8_t { connecting, statement, pool };
// The Python exception of a failure, set as the error; `error` may be empty.
void raise_pg_failure(const PgProfile& profile, const net::Failure& failure, const net::pg::OwnedResult& error,
                      PgFailed what);

}  // namespace barewire::bind
