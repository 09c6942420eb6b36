// The epoll call behind wait_for_sole_event(); elsewhere it always says "other".
#include "net/sole_event.h"

#if defined(__linux__)
#include <sys/epoll.h>
#endif

namespace barewire::net {

#if defined(__linux__)

bool can_wait_for_sole_event() noexcept { return true; }

SoleEvent wait_for_sole_event(int poll_set, int expected, int milliseconds) noexcept {
    epoll_event events[2];
    const int count = epoll_wait(poll_set, events, 2, milliseconds);
    if (count == 0) return SoleEvent::none;
    return count == 1 && events[0].data.fd == expected ? SoleEvent::expected : SoleEvent::other;
}

#else

bool can_wait_for_sole_event() noexcept { return false; }
SoleEvent wait_for_sole_event(int, int, int) noexcept { return SoleEvent::other; }

#endif

}  // namespace barewire::net
