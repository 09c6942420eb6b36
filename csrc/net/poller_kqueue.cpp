// Poller on macOS and the BSDs: kqueue with EVFILT_USER and EVFILT_TIMER. Empty elsewhere.
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__) || defined(BAREWIRE_USE_KQUEUE)

#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "net/poller.h"

namespace barewire::net {
namespace {

constexpr uintptr_t wake_identifier = 1;
constexpr uintptr_t timer_identifier = 2;

// The token travels in udata, which is a pointer on most systems and an integer on some.
struct kevent make(uintptr_t identifier, int filter, unsigned flags, std::uint64_t token) noexcept {
    struct kevent change {};
    change.ident = identifier;
    change.filter = static_cast<decltype(change.filter)>(filter);
    change.flags = static_cast<decltype(change.flags)>(flags);
    change.udata = (decltype(change.udata))static_cast<uintptr_t>(token);
    return change;
}

int apply(int set, struct kevent* changes, int count) noexcept {
    for (int i = 0; i < count; ++i) {
        if (kevent(set, &changes[i], 1, nullptr, 0, nullptr) != 0) return errno;
    }
    return 0;
}

}  // namespace

static_assert(sizeof(uintptr_t) == sizeof(std::uint64_t), "tokens need 64 bits");

int Poller::open() noexcept {
    set_ = kqueue();
    if (set_ < 0) return errno;
    struct kevent change = make(wake_identifier, EVFILT_USER, EV_ADD | EV_CLEAR, wake_token);
    const int error = apply(set_, &change, 1);
    if (error) close();
    return error;
}

void Poller::close() noexcept {
    if (set_ >= 0) ::close(set_);
    set_ = -1;
}

int Poller::add(int descriptor, Want want, std::uint64_t token) noexcept {
    return modify(descriptor, Want::done, want, token);
}

int Poller::modify(int descriptor, Want before, Want want, std::uint64_t token) noexcept {
    struct kevent changes[2];
    int count = 0;
    const auto one = [&](Want part, int filter) {
        if (includes(want, part)) changes[count++] = make(uintptr_t(descriptor), filter, EV_ADD, token);
        else if (includes(before, part)) changes[count++] = make(uintptr_t(descriptor), filter, EV_DELETE, token);
    };
    one(Want::read, EVFILT_READ);
    one(Want::write, EVFILT_WRITE);
    return apply(set_, changes, count);
}

int Poller::remove(int descriptor, Want before) noexcept { return modify(descriptor, before, Want::done, 0); }

int Poller::poll(std::uint64_t* tokens, int size) noexcept {
    struct kevent events[64];
    const timespec now{};
    const int count = kevent(set_, nullptr, 0, events, std::min(size, 64), &now);
    for (int i = 0; i < count; ++i) tokens[i] = static_cast<std::uint64_t>((uintptr_t)events[i].udata);
    return std::max(count, 0);
}

void Poller::wake() noexcept {
    struct kevent change = make(wake_identifier, EVFILT_USER, 0, wake_token);
    change.fflags = NOTE_TRIGGER;
    apply(set_, &change, 1);
}

void Poller::set_timer(TimePoint when) noexcept {
    using namespace std::chrono;
    // Milliseconds, rounded up: the default unit everywhere.
    const auto left = ceil<milliseconds>(when - steady_clock::now()).count();
    struct kevent change = make(timer_identifier, EVFILT_TIMER, EV_ADD | EV_ONESHOT, timer_token);
    change.data = left < 1 ? 1 : left;
    apply(set_, &change, 1);
}

}  // namespace barewire::net

#endif
