// Deadlines of the operations of one event loop: a heap without a timer. No clock and no descriptor may live here.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace barewire::net {

// One moment at which an operation gives up. Lives inside the operation; must be disarmed before it dies.
class Deadline {
public:
    Deadline() noexcept = default;
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    // On the reactor's thread; already disarmed. May arm it again or destroy it.
    virtual void expired() noexcept = 0;
    // The reactor closes: it will never expire. Already disarmed.
    virtual void abandoned() noexcept = 0;

    bool armed() const noexcept { return position_ != idle; }

protected:
    ~Deadline() = default;

private:
    friend class Deadlines;
    static constexpr std::size_t idle = static_cast<std::size_t>(-1);
    std::chrono::steady_clock::time_point when_;
    std::size_t position_ = idle;
};

// Binary heap, earliest first; each deadline knows its place, so taking one out costs O(log n). One thread.
class Deadlines {
public:
    using TimePoint = std::chrono::steady_clock::time_point;

    // Moves it when it is in already. False: out of memory, not armed.
    bool arm(Deadline& deadline, TimePoint when) noexcept;
    // Nothing happens when it is not armed.
    void disarm(Deadline& deadline) noexcept;
    // Disarms and returns the earliest one if it is due, else nullptr.
    Deadline* pop_due(TimePoint now) noexcept;
    bool empty() const noexcept { return heap_.empty(); }
    // TimePoint::max() when empty.
    TimePoint earliest() const noexcept { return heap_.empty() ? TimePoint::max() : heap_.front()->when_; }

private:
    void place(Deadline* deadline, std::size_t position) noexcept;
    void sift_up(std::size_t position) noexcept;
    void sift_down(std::size_t position) noexcept;

    std::vector<Deadline*> heap_;
};

}  // namespace barewire::net
