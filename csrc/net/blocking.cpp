// Sliced waits of blocking callers. Nothing else may live here.
#include "net/blocking.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace barewire::net {

using Clock = std::chrono::steady_clock;

Waited wait_descriptor(int descriptor, Want want, Clock::time_point deadline, Interrupt& interrupt) noexcept {
    pollfd entry{};
    entry.fd = descriptor;
    if (includes(want, Want::read)) entry.events |= POLLIN;
    if (includes(want, Want::write)) entry.events |= POLLOUT;
    for (;;) {
        auto slice = wait_slice;
        bool last = false;
        if (deadline != Clock::time_point::max()) {
            // Rounded up: waking a moment early would only cost another round.
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
            last = left <= wait_slice;
            slice = std::clamp(left, std::chrono::milliseconds(0), wait_slice);
        }
        const int count = ::poll(&entry, 1, static_cast<int>(slice.count()));
        if (count > 0) {
            if (!(entry.revents & POLLNVAL)) return Waited::ready;
            errno = EBADF;
            return Waited::failed;
        }
        if (count < 0 && errno != EINTR && errno != EAGAIN) return Waited::failed;
        if (interrupt.interrupted()) return Waited::interrupted;
        if (count == 0 && last) return Waited::timeout;
    }
}

void Signal::notify() noexcept {
    // Notified under the mutex: after unlocking, the waiter may already have destroyed this object.
    std::lock_guard guard(mutex_);
    set_ = true;
    condition_.notify_all();
}

Waited Signal::wait(Clock::time_point deadline, Interrupt& interrupt) noexcept {
    std::unique_lock lock(mutex_);
    for (;;) {
        const Clock::time_point now = Clock::now();
        const Clock::time_point until = deadline - now < wait_slice ? deadline : now + wait_slice;
        if (condition_.wait_until(lock, until, [this] { return set_; })) return Waited::ready;
        lock.unlock();
        const bool stop = interrupt.interrupted();
        lock.lock();
        // Set meanwhile: the caller has to take what came, whatever the reason to stop is.
        if (set_) return Waited::ready;
        if (stop) return Waited::interrupted;
        if (Clock::now() >= deadline) return Waited::timeout;
    }
}

void Signal::reset() noexcept {
    std::lock_guard guard(mutex_);
    set_ = false;
}

}  // namespace barewire::net
