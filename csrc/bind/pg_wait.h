// How a blocking PostgreSQL call waits: without the GIL, signals seen, never entering an interpreter that ends.
#pragma once

#include "bind/pg_types.h"
#include "net/blocking.h"
#include "net/pg/connection.h"
#include "py/python.h"
#include "py/ref.h"

namespace barewire::bind {

// Gives the GIL back to this thread. Once the interpreter is ending a thread other than the main one stays here for ever:
// asking for the GIL would unwind it through functions that must not be unwound.
void take_gil_back(PyThreadState* state) noexcept;
// Before the interpreter ends, with the GIL: from now on no waiting thread comes back.
PyObject* close_gil_gate(PyObject*, PyObject*);
// In a fork's child: the threads that were coming back stayed with the parent, nobody waits for them.
void open_gil_gate_after_fork() noexcept;

class PgWait final : public net::pg::SocketWait, public net::pg::SignalWait, private net::Interrupt {
public:
    explicit PgWait(PgSession& session) noexcept : session_(session) {}

    net::Waited wait(int descriptor, net::Want want, net::pg::Clock::time_point deadline) noexcept override;
    net::Waited wait(net::Signal& signal, net::pg::Clock::time_point deadline) noexcept override;
    // After the call: true with the Python error set that a signal handler, or the closing of the connection, left.
    [[nodiscard]] bool raise() noexcept;
    // For other waits without the GIL.
    net::Interrupt& interrupt() noexcept { return *this; }
    void release_gil() noexcept { state_ = PyEval_SaveThread(); }
    void take_gil() noexcept { take_gil_back(state_); }

private:
    bool interrupted() noexcept override;

    PgSession& session_;
    PyThreadState* state_ = nullptr;
    py::Ref raised_;
};

}  // namespace barewire::bind
