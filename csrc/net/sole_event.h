// Waiting for one event among all that somebody else's poll set watches. Nothing is read or taken from the set.
#pragma once

namespace barewire::net {

enum class SoleEvent : unsigned char {
    expected,  // only the expected descriptor is ready
    other,     // something else is ready (too), a signal came, or the set cannot be asked
    none,      // time is up
};

// Whether this system has poll sets that can be asked like this (level-triggered epoll).
bool can_wait_for_sole_event() noexcept;

// Waits at most `milliseconds` until anything in the epoll set `poll_set` is ready. Entries must hold their descriptor
// as data, as CPython's `select.epoll` registers them.
SoleEvent wait_for_sole_event(int poll_set, int expected, int milliseconds) noexcept;

}  // namespace barewire::net
