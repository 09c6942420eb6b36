// Waiting of blocking PostgreSQL calls, and the gate that keeps their threads out of an interpreter that ends.
#include "bind/pg_wait.h"

#include <pthread.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "bind/pg_plan.h"
#include "py/compat.h"

namespace barewire::bind {

using net::Waited;

namespace {

// sequentially consistent, both: a thread counts itself before it looks at the gate, the gate is closed before the count is
// read, so one of the two sees the other.
std::atomic<bool> gate_closed{false};
std::atomic<int> entering{0};

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

void take_gil_back(PyThreadState* state) noexcept {
    entering.fetch_add(1);
    if (gate_closed.load() && !in_main_thread()) {
        entering.fetch_sub(1);
        for (;;) pause();  // a daemon thread; the process ends under it
    }
    PyEval_RestoreThread(state);
    entering.fetch_sub(1);
}

void open_gil_gate_after_fork() noexcept {
    entering.store(0);
    gate_closed.store(false);
}

PyObject* close_gil_gate(PyObject*, PyObject*) {
    gate_closed.store(true);
    PyThreadState* state = PyEval_SaveThread();
    while (entering.load() != 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
    PyEval_RestoreThread(state);
    Py_RETURN_NONE;
}

Waited PgWait::wait(int descriptor, net::Want want, net::pg::Clock::time_point deadline) noexcept {
    release_gil();
    const Waited waited = net::wait_descriptor(descriptor, want, deadline, *this);
    take_gil();
    return waited;
}

Waited PgWait::wait(net::Signal& signal, net::pg::Clock::time_point deadline) noexcept {
    release_gil();
    const Waited waited = signal.wait(deadline, *this);
    take_gil();
    return waited;
}

bool PgWait::interrupted() noexcept {
    // Signal handlers are Python code: they run here with the GIL. Only the main thread runs them.
    if (in_main_thread()) {
        PyEval_RestoreThread(state_);
        if (PyErr_CheckSignals() != 0 && !raised_) raised_ = py::take_exception();
        state_ = PyEval_SaveThread();
    }
    return raised_ || session_.close_wanted;
}

bool PgWait::raise() noexcept {
    if (raised_) {
        py::restore_exception(std::move(raised_));
        return true;
    }
    if (session_.close_wanted) {
        raise_psycopg("OperationalError", "the connection is closed");
        return true;
    }
    return false;
}

}  // namespace barewire::bind
