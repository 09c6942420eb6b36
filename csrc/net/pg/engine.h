// What all PostgreSQL connections of a process share: the library and the threads for what blocks in it.
#pragma once

#include <memory>
#include <string>

#include "net/workers.h"

namespace barewire::net::pg {

struct Libpq;

// Held by shared_ptr by every connection and every pool.
class Engine {
public:
    // `library`: psycopg's extension file (its bundled libpq is found through it), or "libpq.so.5". nullptr and the reason in
    // `why` when it cannot be used.
    static std::shared_ptr<Engine> create(const char* library, std::string& why);
    explicit Engine(std::shared_ptr<const Libpq> libpq);
    ~Engine();

    const Libpq& libpq() const noexcept { return *libpq_; }
    Workers& workers() noexcept { return workers_; }

    // 180006, say; what it can do besides.
    int library_version() const noexcept;
    bool can_chunk() const noexcept;
    bool can_close_statements() const noexcept;
    bool can_cancel_encrypted() const noexcept;

    // Before the interpreter ends: running jobs see their stop flag, threads are joined.
    void close() noexcept { workers_.stop(); }
    void abandon_after_fork() noexcept { workers_.abandon_after_fork(); }

private:
    const std::shared_ptr<const Libpq> libpq_;
    Workers workers_;
};

}  // namespace barewire::net::pg
