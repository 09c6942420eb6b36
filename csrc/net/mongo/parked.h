// Operations that wait for a suitable server. Deadlines and threads are the waiters' own business.
#pragma once

#include <mutex>

namespace barewire::net::mongo {

class ParkedList;

// Base of whoever waits. Lives in its owner; must not die while parked.
class Parked {
public:
    // The deployment looks different, or the client is closed: look again. Called at most once per parking, on any
    // thread, with the list's mutex held: do little, and do not park again inside.
    virtual void wake() noexcept = 0;

protected:
    ~Parked() = default;

private:
    friend class ParkedList;
    Parked* previous_ = nullptr;
    Parked* next_ = nullptr;
    bool listed_ = false;
};

class ParkedList {
public:
    void add(Parked& parked) noexcept {
        std::lock_guard guard(mutex_);
        parked.previous_ = nullptr;
        parked.next_ = first_;
        if (first_) first_->previous_ = &parked;
        first_ = &parked;
        parked.listed_ = true;
        ++count_;
    }
    // True: it was still parked and wake() will not be called. False: it has been called.
    bool remove(Parked& parked) noexcept {
        std::lock_guard guard(mutex_);
        return take(parked);
    }
    void wake_all() noexcept {
        std::lock_guard guard(mutex_);
        while (Parked* parked = first_) {
            take(*parked);
            parked->wake();
        }
    }
    bool empty() noexcept {
        std::lock_guard guard(mutex_);
        return count_ == 0;
    }

private:
    bool take(Parked& parked) noexcept {
        if (!parked.listed_) return false;
        (parked.previous_ ? parked.previous_->next_ : first_) = parked.next_;
        if (parked.next_) parked.next_->previous_ = parked.previous_;
        parked.previous_ = parked.next_ = nullptr;
        parked.listed_ = false;
        --count_;
        return true;
    }

    std::mutex mutex_;
    Parked* first_ = nullptr;
    unsigned count_ = 0;
};

}  // namespace barewire::net::mongo
