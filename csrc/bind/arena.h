// A scratch buffer per thread that keeps its memory between calls; nothing may be kept in it across calls.
#pragma once

#include <cstddef>

#include "base/buffer.h"
#include "base/macros.h"

namespace barewire::bind {

// Borrows this thread's buffer, empty, for the lifetime of the object. User code called in between may come here again
// in the same thread: it then gets a buffer of its own.
class Arena {
public:
    // Memory above this is given back, so that one large document does not stay for ever.
    static constexpr std::size_t keep = std::size_t{16} << 20;

    Arena() noexcept {
        slot_ = current_;
        if (BAREWIRE_UNLIKELY(slot_ == nullptr || slot_->busy)) slot_ = other_slot();
        slot_->busy = true;
    }
    ~Arena() {
        slot_->buffer.clear();
        if (BAREWIRE_UNLIKELY(slot_->buffer.capacity() > keep)) slot_->buffer.trim(keep);
        slot_->busy = false;
    }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    base::Buffer& buffer() noexcept { return slot_->buffer; }

private:
    struct Slot {
        base::Buffer buffer;
        bool busy = false;
    };
    struct Owner;

    // The first slot of this thread, or the one inside this object if that is in use.
    BAREWIRE_COLD Slot* other_slot() noexcept;

    // A plain pointer, so that reading it needs no initialisation check; `Owner` frees it when the thread ends.
    static constinit thread_local Slot* current_;

    Slot spare_;
    Slot* slot_;
};

}  // namespace barewire::bind
