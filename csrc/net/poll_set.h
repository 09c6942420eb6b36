// Which connection is registered in which poll set, safe against threads that take registered connections away. No
// callbacks may live here.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "net/poller.h"
#include "net/step.h"

namespace barewire::net {

// Shared by the reactor and by every connection registered in it, so that a connection can leave after the reactor has
// gone. The kernel holds tokens (entry index and serial number), never pointers: an event that was fetched before its
// connection left no longer matches its entry and is dropped.
class PollSet {
public:
    // nullptr and errno in `error` on failure.
    static std::shared_ptr<PollSet> create(int& error) noexcept;

    // -1 after close().
    int descriptor() const noexcept { return poller_.descriptor(); }

    // --- the reactor's thread ---
    // Registers (or keeps registered) and marks as in flight. 0 or errno.
    int enter(Steppable& steppable, Registration& registration, Want want,
              const std::shared_ptr<PollSet>& self) noexcept;
    // Changes what an entered connection waits for. 0 or errno.
    int want(const Registration& registration, Want want) noexcept;
    // No longer in flight; stays registered for reading.
    void rest(const Registration& registration) noexcept;
    int poll(std::uint64_t* tokens, int size) noexcept { return poller_.poll(tokens, size); }
    // The connection in flight behind a token, or nullptr. One that is registered but not in flight is taken out of the
    // set and marked suspect: level-triggered readiness would otherwise wake the loop for ever.
    Steppable* resolve(std::uint64_t token) noexcept;
    void set_timer(TimePoint when) noexcept { poller_.set_timer(when); }
    void close() noexcept;
    // In a fork's child: closes the child's descriptors without taking a lock.
    void close_after_fork() noexcept;

    // --- any thread ---
    // The owner of a connection takes it out. Nothing happens if that was done already.
    void leave(Registration& registration) noexcept;
    void wake() noexcept;

private:
    struct Entry {
        Steppable* steppable = nullptr;  // nullptr: free
        std::uint32_t serial = 0;
        std::uint32_t next_free = 0;
        int descriptor = -1;
        Want interest = Want::done;
        bool in_flight = false;
    };
    static constexpr std::uint32_t none = 0xffffffffu;

    Entry* find(std::uint32_t index, std::uint32_t serial) noexcept;
    void vacate(Entry& entry, std::uint32_t index) noexcept;

    Poller poller_;
    std::mutex mutex_;  // guards entries_, first_free_ and closed_
    std::vector<Entry> entries_;
    std::uint32_t first_free_ = none;
    bool closed_ = false;
    std::mutex wake_mutex_;  // held while waking, so that close() cannot take the descriptor away meanwhile
    bool awake_ = true;
};

}  // namespace barewire::net
