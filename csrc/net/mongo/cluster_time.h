// The highest $clusterTime seen, kept for gossip. Source: Driver Sessions, "Gossipping the cluster time".
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/buffer.h"

namespace barewire::net::mongo {

// Thread-safe. The document is small (under 200 bytes) and copied under a mutex; whether a reply's time is newer is seen
// without it.
class ClusterTime {
public:
    void advance(const std::uint8_t* document, std::size_t size) noexcept;
    // Copies the document into `to` (empty: none seen). False: no memory.
    [[nodiscard]] bool copy(base::Buffer& to) const noexcept;

private:
    mutable std::mutex mutex_;
    // Seconds and increment as one number. Written under the mutex; relaxed reads outside only skip work.
    std::atomic<std::uint64_t> time_{0};
    base::Buffer document_;
};

}  // namespace barewire::net::mongo
