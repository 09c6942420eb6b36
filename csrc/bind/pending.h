// barewire._core.Pending: what an operation on an event loop gives to `await`. No database may appear here.
#pragma once

#include "bind/state.h"
#include "py/python.h"
#include "py/ref.h"

namespace barewire::bind {

// A future in the sense of asyncio's protocol (`_asyncio_future_blocking`, add_done_callback with a context, ...), with one
// difference: callbacks of a result that arrives while the loop runs Reactor.drain are called at the end of that drain, not in
// the loop's next iteration. That saves a task one pass of the loop, with its system call, per operation.
[[nodiscard]] bool add_pending(PyObject* module, ModuleState& state);

// Told when the one who waits gives up, on his thread, with the GIL held and possibly an error set that must stay.
class Cancellation {
public:
    virtual void cancelled() noexcept = 0;

protected:
    ~Cancellation() = default;
};

// `coroutine`: a PendingCoroutine, which asyncio.create_task takes; asyncio.wait, which refuses coroutines, does not.
py::Ref new_pending(ModuleState& state, PyObject* loop, bool coroutine = false);
// At most once while it waits; nullptr takes it back. Whoever is told must take it back, or resolve, before he dies.
void tell_cancellation(PyObject* pending, Cancellation* cancellation) noexcept;
bool pending_done(PyObject* pending) noexcept;
// On the loop's thread, at most once; false with a Python error set if a callback could not be scheduled.
[[nodiscard]] bool resolve_pending(PyObject* pending, py::Ref value);
[[nodiscard]] bool reject_pending(PyObject* pending, py::Ref exception);
// For a loop that is gone: cancelled, and nobody is told.
void drop_pending(PyObject* pending) noexcept;

// While one lives on a thread, callbacks are collected; `run` calls them. They may do anything, also drain again.
class WakeUps {
public:
    WakeUps() noexcept;
    ~WakeUps();
    WakeUps(const WakeUps&) = delete;
    WakeUps& operator=(const WakeUps&) = delete;
    // False with the error of a callback set (KeyboardInterrupt, SystemExit); the others are then left to the loop.
    [[nodiscard]] bool run();
    // Whether callbacks of this thread are still to be called: the tasks behind them could run.
    static bool left() noexcept;

private:
    friend struct Pending;
    py::Ref woken_;   // list of Pending, made when the first arrives
    WakeUps* outer_;
    bool open_ = true;
};

}  // namespace barewire::bind
