// Which reactor the running event loop has, and the Python type that the loop watches. No database may appear here.
#pragma once

#include <memory>

#include "bind/state.h"
#include "net/reactor.h"
#include "py/python.h"

namespace barewire::bind {

[[nodiscard]] bool add_reactor(PyObject* module, ModuleState& state);

// The running loop (borrowed) and its reactor, made on the first call in this loop. nullptr with a Python error set:
// RuntimeError without a running loop, OSError without descriptors.
struct RunningLoop {
    PyObject* loop = nullptr;
    net::Reactor* reactor = nullptr;
    explicit operator bool() const noexcept { return reactor != nullptr; }
};
RunningLoop running_loop(ModuleState& state);

// Waits a moment for the outcome of `pending` if its loop, which must be running on this thread, has nothing else to do; see
// bind/in_place.h. The outcome may be there afterwards, or not.
void serve_in_place(PyObject* loop, PyObject* pending);

// True while a reactor is being closed: operations that end then belong to a loop that is gone.
bool reactor_closing() noexcept;

}  // namespace barewire::bind
