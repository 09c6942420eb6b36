// The operating system's readiness interface (epoll or kqueue) behind five calls. No bookkeeping of connections may live
// here.
#pragma once

#include <chrono>
#include <cstdint>

#include "net/step.h"

namespace barewire::net {

using TimePoint = std::chrono::steady_clock::time_point;

// One poll set with a wake-up and a timer inside it. Level-triggered for descriptors, one-shot for wake-up and timer.
// Not copyable, not locked. Every int result is 0 or errno.
class Poller {
public:
    // Reserved tokens.
    static constexpr std::uint64_t wake_token = ~std::uint64_t{0};
    static constexpr std::uint64_t timer_token = ~std::uint64_t{0} - 1;

    Poller() noexcept = default;
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;
    ~Poller() { close(); }

    int open() noexcept;
    // Closes the set, wake-up and timer. In a fork's child too: it closes the child's copies and changes nothing that the
    // parent sees.
    void close() noexcept;
    // Becomes readable when anything inside is ready; -1 when closed.
    int descriptor() const noexcept { return set_; }

    int add(int descriptor, Want want, std::uint64_t token) noexcept;
    int modify(int descriptor, Want before, Want want, std::uint64_t token) noexcept;
    int remove(int descriptor, Want before) noexcept;

    // Tokens of what is ready, at most `size` (up to 64 at a time), without waiting. A token may come twice.
    int poll(std::uint64_t* tokens, int size) noexcept;

    // Makes wake_token ready once. Any thread, as long as the Poller is open.
    void wake() noexcept;
    // Makes timer_token ready once at that moment; replaces an earlier time.
    void set_timer(TimePoint when) noexcept;

private:
    int set_ = -1;
    int wake_ = -1;   // epoll only
    int timer_ = -1;  // epoll only
};

}  // namespace barewire::net
