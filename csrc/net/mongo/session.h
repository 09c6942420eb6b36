// The pool of server sessions. Sending endSessions lives with the client. Source: Driver Sessions, "Server session pool".
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "net/mongo/operation.h"

namespace barewire::net::mongo {

// Thread-safe LIFO. Sessions that would expire within a minute are dropped; the server forgets them by itself.
class SessionPool {
public:
    // nullptr only when memory or the system's random numbers are out. `timeout_minutes`: logicalSessionTimeoutMinutes of
    // the deployment, 0 when unknown (then nothing counts as expired).
    std::unique_ptr<ServerSession> acquire(std::int32_t timeout_minutes) noexcept;
    void release(std::unique_ptr<ServerSession> session, std::int32_t timeout_minutes) noexcept;
    // Empties the pool for endSessions.
    std::vector<std::unique_ptr<ServerSession>> take_all() noexcept;

private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<ServerSession>> sessions_;  // the last used one at the back
};

}  // namespace barewire::net::mongo
