// The process-wide store of reply buffers. Nothing else.
#include "net/mongo/reply_buffers.h"

#include <array>
#include <mutex>
#include <utility>

namespace barewire::net::mongo {

namespace {

constexpr std::size_t small_limit = 256 * 1024, large_limit = 24 * 1024 * 1024;

// Fixed numbers of places, used as stacks. Never destroyed: other threads may outlive static destruction. Nobody waits for
// the mutex: memory is cheaper than a wait, and in a forked child it may be held for ever by a thread of the parent.
template <std::size_t Places>
struct Shelf {
    std::mutex mutex;
    std::array<base::Buffer, Places> buffers;
    std::size_t used = 0;

    bool take(base::Buffer& into, std::size_t size) noexcept {
        std::unique_lock lock(mutex, std::try_to_lock);
        if (!lock) return false;
        for (std::size_t i = used; i-- > 0;) {
            if (buffers[i].capacity() < size) continue;
            into = std::move(buffers[i]);
            --used;
            if (i != used) buffers[i] = std::move(buffers[used]);
            return true;
        }
        return false;
    }
    bool keep(base::Buffer& buffer) noexcept {
        std::unique_lock lock(mutex, std::try_to_lock);
        if (!lock) return false;
        if (used == Places) return false;
        buffers[used++] = std::move(buffer);
        return true;
    }
};

Shelf<32>& small_shelf() noexcept {
    static auto* shelf = new Shelf<32>;
    return *shelf;
}
Shelf<3>& large_shelf() noexcept {
    static auto* shelf = new Shelf<3>;
    return *shelf;
}

}  // namespace

bool take_reply_buffer(base::Buffer& buffer, std::size_t size) noexcept {
    if (buffer.capacity() >= size) return true;
    base::Buffer kept;
    if ((size <= small_limit && small_shelf().take(kept, size)) ||
        (size > small_limit && size <= large_limit && large_shelf().take(kept, size))) {
        kept.clear();
        if (!kept.append(buffer.data(), buffer.size())) return false;
        buffer.swap(kept);
        keep_reply_buffer(kept);
        return true;
    }
    return buffer.reserve(size - buffer.size());
}

void keep_reply_buffer(base::Buffer& buffer) noexcept {
    base::Buffer dropped = std::move(buffer);
    dropped.clear();
    const std::size_t capacity = dropped.capacity();
    if (capacity < first_receive || capacity > large_limit) return;
    if (capacity <= small_limit) small_shelf().keep(dropped);
    else large_shelf().keep(dropped);
}

}  // namespace barewire::net::mongo
