// Creation and release of the scratch buffer of a thread.
#include "bind/arena.h"

#include <new>

namespace barewire::bind {

constinit thread_local Arena::Slot* Arena::current_ = nullptr;

struct Arena::Owner {
    ~Owner() {
        delete current_;
        current_ = nullptr;
    }
    void touch() noexcept {}
};

Arena::Slot* Arena::other_slot() noexcept {
    if (current_ != nullptr) return &spare_;
    current_ = new (std::nothrow) Slot();
    if (current_ == nullptr) return &spare_;
    static thread_local Owner owner;
    owner.touch();
    return current_;
}

}  // namespace barewire::bind
