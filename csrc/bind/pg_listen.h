// Waiting for notifications, on an event loop and on a thread.
#pragma once

#include "bind/pending.h"
#include "bind/pg_types.h"
#include "net/deadlines.h"
#include "py/python.h"
#include "py/ref.h"

namespace barewire::bind {

// A future that becomes True when a notification is there, False when its time is over.
class NotificationWait final : public net::Deadline, private Cancellation {
public:
    // The future; nullptr with a Python error set. `seconds` None: no limit.
    static PyObject* start(PyObject* connection, PyObject* seconds);
    void wake(bool connected) noexcept;

private:
    explicit NotificationWait(PyObject* connection) : connection_(py::Ref::share(connection)) {}
    void expired() noexcept override;
    void abandoned() noexcept override;
    void cancelled() noexcept override;
    void end() noexcept;   // out of the list; the object dies

    py::Ref connection_, future_;
};

// A notification has come, or the connection is lost.
void wake_waits(PgSession& session, bool connected) noexcept;

// Blocking: the same as a value. nullptr with a Python error set.
PyObject* wait_for_notification(PyObject* connection, PyObject* seconds);

}  // namespace barewire::bind
