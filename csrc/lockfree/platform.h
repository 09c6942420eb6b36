// Names the atomic and mutex types that the algorithms are instantiated with, so that a test can put in its own and
// enumerate interleavings. No algorithm may live here.
#pragma once

#include <atomic>
#include <mutex>

namespace barewire::lockfree {

struct StandardPlatform {
    template <class T>
    using Atomic = std::atomic<T>;
    using Mutex = std::mutex;
};

}  // namespace barewire::lockfree
