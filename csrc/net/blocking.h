// Waiting on a thread that may block: for a descriptor or for another thread, in slices so that signals are noticed. No
// event loop may live here.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "net/step.h"

namespace barewire::net {

// Asked between slices, with no lock held. A Python caller takes the GIL in it and lets signal handlers run.
class Interrupt {
public:
    // True ends the wait.
    virtual bool interrupted() noexcept = 0;

protected:
    ~Interrupt() = default;
};

// How long a signal may go unnoticed at most.
inline constexpr std::chrono::milliseconds wait_slice{100};

enum class Waited : std::uint8_t {
    ready,        // it may be possible now, or the descriptor has an error that the next read or write reports
    timeout,
    interrupted,
    failed,       // poll() refused the descriptor; errno tells
};

// Waits until `descriptor` allows what `want` says (any part of it), at most until `deadline` (time_point::max(): no
// limit). A deadline in the past still looks once. `interrupt` is asked after every slice and after every signal.
Waited wait_descriptor(int descriptor, Want want, std::chrono::steady_clock::time_point deadline,
                       Interrupt& interrupt) noexcept;

// A flag that one thread waits for and another sets, once or again after reset().
class Signal {
public:
    // Any thread. The waiter may destroy the Signal as soon as its wait() has returned.
    void notify() noexcept;
    // Waits like wait_descriptor(), but a signal handler runs after up to one slice.
    Waited wait(std::chrono::steady_clock::time_point deadline, Interrupt& interrupt) noexcept;
    // By the waiter, when no notify() can be under way.
    void reset() noexcept;

private:
    std::mutex mutex_;
    std::condition_variable condition_;
    bool set_ = false;
};

}  // namespace barewire::net
