// The slots of a pool by index: made one by one when first needed, freed together. Who owns a slot may not live here.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>

namespace barewire::pool {

// PoolSlot: constructed from its index without throwing, with a member `index`.
template <class PoolSlot>
class Slots {
public:
    // Throws std::bad_alloc (8 bytes per slot).
    explicit Slots(std::uint32_t size) : size_(size), slots_(new std::atomic<PoolSlot*>[size] {}) {}
    Slots(const Slots&) = delete;
    Slots& operator=(const Slots&) = delete;
    ~Slots() {
        for_each([](PoolSlot& slot) { delete &slot; });
    }

    // A slot that was made before.
    PoolSlot& at(std::uint32_t index) const noexcept { return *slots_[index].load(std::memory_order_acquire); }

    // The next slot that was never used, nullptr when all exist or memory is out. Any thread, lock-free but for the
    // allocation.
    PoolSlot* create() noexcept {
        // relaxed: a hint below which all are made; the compare-exchange decides.
        std::uint32_t index = made_.load(std::memory_order_relaxed);
        for (; index < size_; ++index) {
            std::unique_ptr<PoolSlot> slot(new (std::nothrow) PoolSlot(index));
            if (!slot) return nullptr;
            PoolSlot* expected = nullptr;
            // release, partner: at() and for_each(); failure relaxed: nothing of the other slot is read.
            if (slots_[index].compare_exchange_strong(expected, slot.get(), std::memory_order_release,
                                                      std::memory_order_relaxed)) {
                made_.store(index + 1, std::memory_order_relaxed);
                return slot.release();
            }
        }
        return nullptr;
    }

    // False: create() will never make another one.
    bool can_create() const noexcept { return made_.load(std::memory_order_relaxed) < size_; }

    template <class Visit>
    void for_each(Visit&& visit) const {
        for (std::uint32_t i = 0; i < size_; ++i) {
            // acquire, partner: create().
            if (PoolSlot* slot = slots_[i].load(std::memory_order_acquire)) visit(*slot);
        }
    }

private:
    const std::uint32_t size_;
    const std::unique_ptr<std::atomic<PoolSlot*>[]> slots_;
    std::atomic<std::uint32_t> made_{0};
};

}  // namespace barewire::pool
