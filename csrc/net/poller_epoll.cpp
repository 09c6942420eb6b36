// Poller on Linux: epoll, eventfd, timerfd. Empty elsewhere.
#if defined(__linux__)

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "net/poller.h"

namespace barewire::net {
namespace {

epoll_event event_for(Want want, std::uint64_t token) noexcept {
    epoll_event event{};
    if (includes(want, Want::read)) event.events |= EPOLLIN;
    if (includes(want, Want::write)) event.events |= EPOLLOUT;
    event.data.u64 = token;
    return event;
}

// Edge-triggered: every write and every expiry reports once, and the counters never have to be read.
int add_edge(int set, int descriptor, std::uint64_t token) noexcept {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = token;
    return epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event);
}

void close_one(int& descriptor) noexcept {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
}

}  // namespace

int Poller::open() noexcept {
    set_ = epoll_create1(EPOLL_CLOEXEC);
    wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (set_ < 0 || wake_ < 0 || timer_ < 0 || add_edge(set_, wake_, wake_token) != 0 ||
        add_edge(set_, timer_, timer_token) != 0) {
        const int error = errno;
        close();
        return error;
    }
    return 0;
}

void Poller::close() noexcept {
    close_one(set_);
    close_one(wake_);
    close_one(timer_);
}

int Poller::add(int descriptor, Want want, std::uint64_t token) noexcept {
    epoll_event event = event_for(want, token);
    return epoll_ctl(set_, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno;
}

int Poller::modify(int descriptor, Want, Want want, std::uint64_t token) noexcept {
    epoll_event event = event_for(want, token);
    return epoll_ctl(set_, EPOLL_CTL_MOD, descriptor, &event) == 0 ? 0 : errno;
}

int Poller::remove(int descriptor, Want) noexcept {
    epoll_event event{};
    return epoll_ctl(set_, EPOLL_CTL_DEL, descriptor, &event) == 0 ? 0 : errno;
}

int Poller::poll(std::uint64_t* tokens, int size) noexcept {
    epoll_event events[64];
    const int count = epoll_wait(set_, events, std::min(size, 64), 0);
    for (int i = 0; i < count; ++i) tokens[i] = events[i].data.u64;
    return std::max(count, 0);
}

void Poller::wake() noexcept {
    const std::uint64_t one = 1;
    // Fails only when the counter is about to overflow, after 2^64 - 2 wake-ups.
    [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
}

void Poller::set_timer(TimePoint when) noexcept {
    using namespace std::chrono;
    // steady_clock is CLOCK_MONOTONIC in libstdc++ and libc++. At least 1 ns: zero would disarm the timer.
    const auto since = std::max(duration_cast<nanoseconds>(when.time_since_epoch()), nanoseconds(1));
    itimerspec spec{};
    spec.it_value.tv_sec = static_cast<time_t>(since.count() / 1'000'000'000);
    spec.it_value.tv_nsec = static_cast<long>(since.count() % 1'000'000'000);
    timerfd_settime(timer_, TFD_TIMER_ABSTIME, &spec, nullptr);
}

}  // namespace barewire::net

#endif
