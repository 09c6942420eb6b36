// The queues of a connection: operations that wait to be sent, and answers that the server still owes, in its order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "net/pg/operation.h"

namespace barewire::net::pg {

// FIFO through links in the operations; one operation is in one queue at most.
class OperationQueue {
public:
    void push_back(Operation& operation) noexcept {
        operation.previous_ = last_;
        operation.next_ = nullptr;
        (last_ ? last_->next_ : first_) = &operation;
        last_ = &operation;
    }
    void push_front(Operation& operation) noexcept {
        operation.next_ = first_;
        operation.previous_ = nullptr;
        (first_ ? first_->previous_ : last_) = &operation;
        first_ = &operation;
    }
    void remove(Operation& operation) noexcept {
        (operation.previous_ ? operation.previous_->next_ : first_) = operation.next_;
        (operation.next_ ? operation.next_->previous_ : last_) = operation.previous_;
        operation.next_ = operation.previous_ = nullptr;
    }
    Operation* first() const noexcept { return first_; }
    bool empty() const noexcept { return first_ == nullptr; }

private:
    Operation *first_ = nullptr, *last_ = nullptr;
};

// What one command in libpq's own queue was sent for.
enum class Sent : std::uint8_t {
    prepare, describe,   // of `statement`
    begin, item, commit, rollback,
    forget,              // a statement is taken away from the server (Close or DEALLOCATE)
    sync,                // end of a part that fails or succeeds as one
    poison,              // made to fail, so that nothing of its part is kept
};

struct Expected {
    Operation* operation = nullptr;    // nullptr: of the connection itself
    Statement* statement = nullptr;
    std::size_t item = 0;              // the number of the first item
    std::uint32_t count = 1;           // so many items in a row of the same statement
    Sent what = Sent::sync;
    bool last = false;                 // the operation has nothing more to come behind it
    int chunk_rows = 0;                // rows per part, 0: whole
    std::uint32_t version = 0;         // of the statement's name it was sent with
};

// A ring that grows and never shrinks.
class ExpectedQueue {
public:
    bool empty() const noexcept { return head_ == tail_; }
    std::size_t size() const noexcept { return tail_ - head_; }
    Expected& front() noexcept { return ring_[head_ & mask_]; }
    Expected& back() noexcept { return ring_[(tail_ - 1) & mask_]; }
    Expected& at(std::size_t i) noexcept { return ring_[(head_ + i) & mask_]; }
    void pop_front() noexcept { ++head_; }
    void clear() noexcept { head_ = tail_ = 0; }
    // Room for `count` more, so that push_back() cannot fail between two libpq calls. False: out of memory.
    [[nodiscard]] bool reserve(std::size_t count) noexcept {
        if (ring_ && size() + count <= mask_ + 1) return true;
        std::size_t capacity = ring_ ? (mask_ + 1) * 2 : 16;
        while (capacity < size() + count) capacity *= 2;
        std::unique_ptr<Expected[]> larger(new (std::nothrow) Expected[capacity]);
        if (!larger) return false;
        const std::size_t have = size();
        for (std::size_t i = 0; i < have; ++i) larger[i] = at(i);
        ring_ = std::move(larger);
        mask_ = capacity - 1;
        head_ = 0;
        tail_ = have;
        return true;
    }
    void push_back(const Expected& one) noexcept { ring_[tail_++ & mask_] = one; }

private:
    std::unique_ptr<Expected[]> ring_;
    std::size_t mask_ = 0, head_ = 0, tail_ = 0;
};

}  // namespace barewire::net::pg
