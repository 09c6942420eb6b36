// Waiting for a reply inside `await` while the event loop has nothing else to do. No database may appear here.
#pragma once

#include "net/reactor.h"
#include "py/python.h"
#include "py/ref.h"

namespace barewire::bind {

// What of one asyncio loop is looked at. A task that is suspended makes the loop go through its queue of callbacks, its timers
// and its selector before it comes back; if there is nothing there, the same can be waited for on the spot: on the loop's own
// selector, so that whatever else becomes ready (another descriptor, a call from another thread, a signal) ends the wait at
// once and the task is suspended after all. Other tasks and timers never wait longer than they would have.
struct InPlace {
    py::Ref ready;          // the loop's deque of callbacks
    py::Ref current_task;   // callable(loop) -> Task | None
    py::Ref task_type;      // asyncio.Task
    int selector = -1;      // descriptor of the loop's epoll set; -1: never wait in place
};

// True when events of the reactor alone may be waited for and served here and now: exactly one connection is in flight, and the
// loop would go to sleep if the calling task were suspended; the reactor's turn has then been ended. Errors are swallowed: false.
bool idle_but_for(PyObject* loop, const InPlace& in_place, net::Reactor& reactor) noexcept;

// Whether `loop`, one that may wait in place, runs on this thread: without a call, where asyncio.get_running_loop() asks for the
// process's id each time. False when in doubt.
bool runs_here(PyObject* loop) noexcept;

// Milliseconds a task waits like this at most. A task that was started eagerly inside another one keeps that one from going on
// meanwhile, which must not last.
inline constexpr int longest_wait_in_place = 5;

}  // namespace barewire::bind
