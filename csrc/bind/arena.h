// A scratch buffer per thread that keeps its memory between calls; nothing may be kept in it across calls.
#pragma once

#include <cstddef>

#include "base/buffer.h"

namespace barewire::bind {

// Borrows this thread's buffer, empty, for the lifetime of the object. User code called in between may come here again
// in the same thread: it then gets a buffer of its own.
class Arena {
    struct Slot {
        base::Buffer buffer;
        bool busy;
    };

public:
    // Memory above this is given back, so that one large document does not stay for ever.
    static constexpr std::size_t keep = std::size_t{16} << 20;

    Arena() noexcept : owner_(!slot_.busy) {
        if (owner_) slot_.busy = true;
    }
    ~Arena() {
        if (!owner_) return;
        slot_.buffer.clear();
        slot_.buffer.trim(keep);
        slot_.busy = false;
    }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    base::Buffer& buffer() noexcept { return owner_ ? slot_.buffer : spare_; }

private:
    static inline thread_local Slot slot_{{}, false};

    base::Buffer spare_;
    bool owner_;
};

}  // namespace barewire::bind
