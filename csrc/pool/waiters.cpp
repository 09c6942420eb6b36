// The intrusive list behind the FIFO of waiters. Nothing else may live here.
#include "pool/waiters.h"

namespace barewire::pool {

void WaiterQueue::push_back(WaiterNode& node) noexcept {
    node.previous_ = last_;
    node.next_ = nullptr;
    node.queued_ = true;
    (last_ ? last_->next_ : first_) = &node;
    last_ = &node;
    ++size_;
}

bool WaiterQueue::remove(WaiterNode& node) noexcept {
    if (!node.queued_) return false;
    (node.previous_ ? node.previous_->next_ : first_) = node.next_;
    (node.next_ ? node.next_->previous_ : last_) = node.previous_;
    node.previous_ = node.next_ = nullptr;
    node.queued_ = false;
    --size_;
    return true;
}

WaiterNode* WaiterQueue::pop_front() noexcept {
    WaiterNode* node = first_;
    if (node) remove(*node);
    return node;
}

WaiterNode* WaiterQueue::pop_expired(TimePoint now) noexcept {
    for (WaiterNode* node = first_; node; node = node->next_) {
        if (node->deadline <= now) {
            remove(*node);
            return node;
        }
    }
    return nullptr;
}

TimePoint WaiterQueue::next_deadline() const noexcept {
    TimePoint earliest = TimePoint::max();
    for (const WaiterNode* node = first_; node; node = node->next_) {
        if (node->deadline < earliest) earliest = node->deadline;
    }
    return earliest;
}

}  // namespace barewire::pool
