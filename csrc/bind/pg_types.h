// Layouts of the PostgreSQL heap types and what their connections share; behaviour is in the file named after each type.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bind/state.h"
#include "net/pg/connect.h"
#include "net/pg/connection.h"
#include "net/pg/engine.h"
#include "net/pg/pool.h"
#include "net/pg/shared.h"
#include "py/python.h"
#include "py/ref.h"
#include "walk/pg_encode.h"
#include "walk/pg_kinds.h"
#include "walk/pg_rows.h"
#include "walk/pg_settings.h"
#include "walk/pg_types.h"

namespace barewire::bind {

// What the PostgreSQL binding keeps per module; made when the feature is added.
struct PgState {
    py::Ref connection_type, async_connection_type, pool_type, async_pool_type;
    py::Ref row_source_type, together_type;
};

// What one call of `connect`, or one pool, was told; shared by its connections. See pkg/barewire/pg/_settings.py.
struct PgProfile {
    ModuleState* module = nullptr;
    std::shared_ptr<net::pg::Engine> engine;
    std::shared_ptr<const net::pg::ConnectOptions> options;
    walk::PgShape shape = walk::PgShape::tuples;
    std::size_t statement_cache_size = 0;
    // Types that the database adds. One database: all connections of a profile are to the same.
    std::shared_ptr<walk::PgTypes> types = std::make_shared<walk::PgTypes>();
    py::Ref json_loads, json_dumps;
    // Python functions; what each is given is said in the file that calls it.
    py::Ref server_error, failure, batch_error, notice, timezone, lookup_query;
};

// nullptr with a Python error set.
std::shared_ptr<const PgProfile> read_profile(ModuleState& state, PyObject* settings);
// tuple, dict, Record or None (as it was). False with TypeError set.
[[nodiscard]] bool read_shape(ModuleState& state, PyObject* rows, walk::PgShape& shape);
// At the end of the program, and in a fork's child.
void close_pg_engines();
void abandon_pg_engines();

// Lets one thread at a time use a connection; the others wait without the GIL, Ctrl-C ends their waiting.
class Turnstile {
public:
    // With the GIL. False with a Python error set: a signal handler raised, or this thread is inside already.
    [[nodiscard]] bool enter();
    void leave() noexcept;
    bool held() const noexcept { return held_; }
    // In a fork's child, where the thread that is inside, or holds the mutex, does not exist.
    void open_after_fork() noexcept;

private:
    void wake() noexcept;

    std::mutex mutex_;
    std::condition_variable changed_;
    bool held_ = false;    // with the GIL
    int waiting_ = 0;      // with the GIL
    bool free_ = false;    // with the mutex: somebody left since a waiter looked
    std::thread::id owner_;
};

struct Notification {
    std::string channel, payload;
    int process;
};
struct Notice {
    std::vector<std::pair<char, std::string>> fields;
};

class NotificationWait;

// The inside of a connection object. Everything with the GIL held, the waits excepted.
struct PgSession final : public net::pg::Observer {
    std::shared_ptr<const PgProfile> profile;
    net::pg::Connection own;
    // What it uses: its own, or one that a pool has lent. Never nullptr.
    net::pg::Connection* link = &own;
    net::pg::PooledConnection* lent = nullptr;
    py::Ref pool;                                      // of `lent`, or of `shared`
    py::Ref taken_at;                                  // where the pool lent it: (code, line)
    std::shared_ptr<net::pg::SharedConnections> shared;   // single statements of a pool on one event loop; no `link` then
    bool pipelining = true;      // of `shared`
    bool lent_once = false;      // closed by giving it back
    bool blocking = false;
    bool opened = false, closed = false;
    bool close_wanted = false;   // by a thread that waits for another one to leave
    // Where link is in flight, on an event loop.
    std::weak_ptr<net::Reactor> reactor;
    // Of a blocking connection that is driven with others (see pg_together): calls give futures then.
    std::shared_ptr<net::Reactor> together;
    Turnstile turnstile;
    // How deep we are inside calls out of `link`, in which it must not be used.
    int inside = 0;
    walk::PgSettings settings;
    std::string timezone_name;
    std::deque<Notification> notifications;
    std::vector<Notice> notices;
    py::Ref notice_handlers, transactions;   // lists
    std::vector<NotificationWait*> waits;
    unsigned cursors = 0;

    void notice(const net::pg::Result& notice) noexcept override;
    void notification(std::string_view channel, std::string_view payload, int process) noexcept override;
    void lost(const net::Failure& why) noexcept override;

    walk::PgDecoding decoding() noexcept;
    walk::PgEncoding encoding() noexcept;
    // Before values of an operation's result are decoded that depend on the session's time zone. False with a Python error
    // set.
    [[nodiscard]] bool update_timezone(const net::pg::Operation& operation);
    // On an event loop. `text` of a single statement without a transaction, else empty.
    void submit(net::pg::Operation& operation, net::Reactor& reactor, std::string_view text) noexcept;
    // Calls the handlers of what has come; their errors are written to sys.unraisablehook.
    void deliver_notices();
    // False with an error of psycopg's set when nothing can be sent.
    [[nodiscard]] bool usable();
};

// barewire._core.PgConnection and PgAsyncConnection.
struct PgConnectionObject {
    PyObject_HEAD
    PgSession* session;
    PyObject* weak_references;
};

inline PgSession& session_of(PyObject* object) noexcept {
    return *reinterpret_cast<PgConnectionObject*>(object)->session;
}

// The connection goes to this event loop; false with psycopg.InterfaceError set while it is in use on another.
[[nodiscard]] bool enter_loop(PgSession& session, net::Reactor& reactor);

// Marks that `link` is calling out and user code may run: one in each callback that walks values.
class InsideLink {
public:
    explicit InsideLink(PgSession& session) noexcept : session_(session) { ++session_.inside; }
    ~InsideLink() { --session_.inside; }
    InsideLink(const InsideLink&) = delete;
    InsideLink& operator=(const InsideLink&) = delete;

private:
    PgSession& session_;
};

// The module's state, of one of its types or a Python class below it.
ModuleState* state_of_base(PyTypeObject* type) noexcept;
// Not yet open. May throw std::bad_alloc.
PyObject* new_pg_connection(PyTypeObject* type, std::shared_ptr<const PgProfile> profile, bool blocking);

// Each adds its types and functions to the module; false with a Python error set.
[[nodiscard]] bool add_pg_connection(PyObject* module, ModuleState& state);
[[nodiscard]] bool add_pg_pool(PyObject* module, ModuleState& state);

}  // namespace barewire::bind
