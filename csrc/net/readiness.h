// What a descriptor allows right now. Nothing that waits may live here.
#pragma once

#include <poll.h>

namespace barewire::net {

// POLLIN, POLLOUT, POLLERR, POLLHUP as they hold at the moment.
inline short readiness(int descriptor) noexcept {
    pollfd asked{descriptor, POLLIN | POLLOUT, 0};
    return ::poll(&asked, 1, 0) > 0 ? asked.revents : short{0};
}

// An error shows in the write that follows.
inline bool can_write(int descriptor) noexcept { return (readiness(descriptor) & ~POLLIN) != 0; }

}  // namespace barewire::net
