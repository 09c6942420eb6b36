// A connection as a step machine: what it waits for and who drives it. No sockets and no protocol may live here.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace barewire::net {

// What has to become possible on the descriptor before the next step makes sense.
enum class Want : std::uint8_t { done = 0, read = 1, write = 2, both = 3 };

constexpr bool includes(Want all, Want part) noexcept {
    return (static_cast<unsigned>(all) & static_cast<unsigned>(part)) == static_cast<unsigned>(part);
}

class PollSet;
class Reactor;

// Where a descriptor is registered. Written only by the current owner of the Steppable; see reactor.h.
struct Registration {
    std::shared_ptr<PollSet> set;
    std::uint32_t index = 0;
    std::uint32_t serial = 0;
};

// Base of a connection. The blocking driver calls the same step function of the derived class in a loop with
// wait_descriptor(); a Reactor calls ready().
class Steppable {
public:
    Steppable() noexcept = default;
    Steppable(const Steppable&) = delete;
    Steppable& operator=(const Steppable&) = delete;

    virtual int descriptor() const noexcept = 0;
    // In flight, on the reactor's thread: something it wanted may be possible now. Calls may be spurious (EAGAIN). It
    // calls Reactor::end() when the operation is over or Reactor::want() when it waits for something else.
    virtual void ready() noexcept = 0;
    // In flight, on the thread that closes the reactor: nobody drives it any more. It is no longer in flight.
    virtual void abandoned() noexcept = 0;

    // True when the descriptor was seen readable (or closed) while nobody used the connection: the server has hung up or
    // sent something unasked, and the next owner must check before use. Reads and clears it.
    bool take_suspicion() noexcept {
        // relaxed: set under the poll set's mutex, and the owner passes that mutex (Reactor::begin, detach) first; if it
        // does not, it learns the same thing from its next read or write.
        return suspect_.exchange(false, std::memory_order_relaxed);
    }

protected:
    // Must be detached: Reactor::detach().
    ~Steppable() = default;

private:
    friend class PollSet;
    friend class Reactor;
    Registration registration_;
    std::atomic<bool> suspect_{false};
    // Touched only by the thread of the reactor that drives it.
    Reactor* driver_ = nullptr;
    Steppable* previous_ = nullptr;
    Steppable* next_ = nullptr;
};

}  // namespace barewire::net
