// Server sessions: making, keeping and expiring them. No messages are built here.
#include "net/mongo/session.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

namespace barewire::net::mongo {

namespace {

bool expires_soon(const ServerSession& session, std::int32_t timeout_minutes) noexcept {
    if (timeout_minutes <= 0) return false;
    return Clock::now() - session.last_use > std::chrono::minutes(std::max(timeout_minutes - 1, 0));
}

bool fill_random(std::uint8_t* to, std::size_t size) noexcept {
#if defined(__APPLE__)
    return getentropy(to, size) == 0;
#else
    while (size != 0) {
        const ssize_t got = getrandom(to, size, 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            return false;
        }
        to += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
#endif
}

}  // namespace

std::unique_ptr<ServerSession> SessionPool::acquire(std::int32_t timeout_minutes) noexcept {
    {
        std::lock_guard guard(mutex_);
        while (!sessions_.empty()) {
            std::unique_ptr<ServerSession> session = std::move(sessions_.back());
            sessions_.pop_back();
            // The freshest is at the back: if this one is too old, all are.
            if (!expires_soon(*session, timeout_minutes)) return session;
            sessions_.clear();
        }
    }
    std::unique_ptr<ServerSession> session(new (std::nothrow) ServerSession{});
    if (!session || !fill_random(session->id, sizeof session->id)) return nullptr;
    session->id[6] = static_cast<std::uint8_t>((session->id[6] & 0x0f) | 0x40);  // RFC 4122 version 4
    session->id[8] = static_cast<std::uint8_t>((session->id[8] & 0x3f) | 0x80);
    session->last_use = Clock::now();
    return session;
}

void SessionPool::release(std::unique_ptr<ServerSession> session, std::int32_t timeout_minutes) noexcept {
    if (!session || session->dirty || expires_soon(*session, timeout_minutes)) return;
    std::lock_guard guard(mutex_);
    try {
        sessions_.push_back(std::move(session));
    } catch (const std::bad_alloc&) {
        // Dropped: the server lets it expire.
    }
}

std::vector<std::unique_ptr<ServerSession>> SessionPool::take_all() noexcept {
    std::lock_guard guard(mutex_);
    return std::exchange(sessions_, {});
}

}  // namespace barewire::net::mongo
