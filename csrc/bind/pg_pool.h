// barewire._core.PgPool and PgAsyncPool: the layout, and lending connections of net's pool to Python.
#pragma once

#include <chrono>
#include <memory>
#include <unordered_map>
#include <vector>

#include "bind/pg_types.h"
#include "net/pg/pool.h"
#include "net/pg/shared.h"

namespace barewire::bind {

// The inside of a pool object. With the GIL.
struct PgPool {
    std::shared_ptr<const PgProfile> profile;
    net::pg::PoolSettings settings;   // to make it anew in a fork's child
    std::shared_ptr<net::pg::ConnectionPool> pool;
    py::Ref connection_type;          // class of what is lent
    net::pg::Clock::duration timeout{};
    bool blocking = false, pipelining = true;
    std::uint32_t most_shared = 4;
    net::pg::Clock::time_point maintained{};
    // Connection objects that no user sees: on event loops one per loop, for threads those that are free.
    struct Loop {
        std::weak_ptr<net::Reactor> reactor;
        py::Ref connection;
    };
    std::unordered_map<net::Reactor*, Loop> loops;
    std::vector<py::Ref> free;

    // Every few seconds of use.
    void look_after();
};

struct PgPoolObject {
    PyObject_HEAD
    PgPool* pool;
    PyObject* weak_references;
};

inline PgPool& pool_of(PyObject* object) noexcept { return *reinterpret_cast<PgPoolObject*>(object)->pool; }

// The connection object through which statements of the running loop share connections; borrowed. nullptr with a Python
// error set.
PyObject* shared_connection(PyObject* pool);

// A connection for one statement of a blocking caller.
class LentHere {
public:
    explicit LentHere(PyObject* pool) noexcept : pool_(pool) {}
    ~LentHere();
    LentHere(const LentHere&) = delete;
    LentHere& operator=(const LentHere&) = delete;
    // Borrowed; nullptr with a Python error set.
    PyObject* take();

private:
    PyObject* pool_;
    py::Ref connection_;
};

// A future of a connection object, or a connection object; `taken_at`: where, for the warning of one that is forgotten.
PyObject* acquire_connection(PyObject* pool, PyObject* timeout, PyObject* taken_at);
// Gives a lent connection back. False with a Python error set.
[[nodiscard]] bool give_back(PyObject* connection);
// The connection is lost to its user without being given back, or closed by him.
void discard_lent(PgSession& session) noexcept;

}  // namespace barewire::bind
