// The heap of deadlines. Nothing else may live here.
#include "net/deadlines.h"

#include <new>

namespace barewire::net {

bool Deadlines::arm(Deadline& deadline, TimePoint when) noexcept {
    if (deadline.armed()) disarm(deadline);
    try {
        heap_.push_back(&deadline);
    } catch (const std::bad_alloc&) {
        return false;
    }
    deadline.when_ = when;
    deadline.position_ = heap_.size() - 1;
    sift_up(deadline.position_);
    return true;
}

void Deadlines::disarm(Deadline& deadline) noexcept {
    if (!deadline.armed()) return;
    const std::size_t hole = deadline.position_;
    deadline.position_ = Deadline::idle;
    Deadline* last = heap_.back();
    heap_.pop_back();
    if (last == &deadline) return;
    place(last, hole);
    sift_up(hole);
    sift_down(last->position_);
}

Deadline* Deadlines::pop_due(TimePoint now) noexcept {
    if (heap_.empty() || heap_.front()->when_ > now) return nullptr;
    Deadline* deadline = heap_.front();
    disarm(*deadline);
    return deadline;
}

void Deadlines::place(Deadline* deadline, std::size_t position) noexcept {
    heap_[position] = deadline;
    deadline->position_ = position;
}

void Deadlines::sift_up(std::size_t position) noexcept {
    Deadline* moving = heap_[position];
    while (position > 0) {
        const std::size_t parent = (position - 1) / 2;
        if (heap_[parent]->when_ <= moving->when_) break;
        place(heap_[parent], position);
        position = parent;
    }
    place(moving, position);
}

void Deadlines::sift_down(std::size_t position) noexcept {
    Deadline* moving = heap_[position];
    for (;;) {
        std::size_t child = 2 * position + 1;
        if (child >= heap_.size()) break;
        if (child + 1 < heap_.size() && heap_[child + 1]->when_ < heap_[child]->when_) ++child;
        if (moving->when_ <= heap_[child]->when_) break;
        place(heap_[child], position);
        position = child;
    }
    place(moving, position);
}

}  // namespace barewire::net
