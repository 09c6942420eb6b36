// Drives the connections, deadlines and posted tasks of one event loop behind a single descriptor. No protocol and no
// Python may live here.
#pragma once

#include <cstdint>
#include <memory>

#include "lockfree/mpsc_inbox.h"
#include "net/deadlines.h"
#include "net/poll_set.h"
#include "net/step.h"

namespace barewire::net {

// Something to run on the reactor's thread. Belongs to the reactor from post() until one of the two is called.
class Task : public lockfree::InboxNode {
public:
    virtual void run() noexcept = 0;
    // The reactor was closed first; called on the thread that closes it.
    virtual void abandoned() noexcept = 0;

protected:
    ~Task() = default;
};

// Something to do once when the current turn of the loop ends: flushing what was collected in it. Must be forgotten before
// it dies.
class TurnEnd {
public:
    TurnEnd() noexcept = default;
    TurnEnd(const TurnEnd&) = delete;
    TurnEnd& operator=(const TurnEnd&) = delete;
    virtual void turn_ended() noexcept = 0;

protected:
    ~TurnEnd() = default;

private:
    friend class Reactor;
    Reactor* listed_ = nullptr;
    TurnEnd *previous_turn_ = nullptr, *next_turn_ = nullptr;
};

// One per event loop. The loop watches descriptor() for reading and calls drain(). "The reactor's thread" is the thread
// that runs the loop. Everything belongs to that thread except post() and detach(), which any thread may call. Whoever
// posts from elsewhere holds a shared_ptr.
//
// How a connection moves. After end() it stays registered (for reading) with the reactor that used it last, so that the
// next operation there costs no system call. Somebody else may take it from the pool meanwhile:
//  - another reactor: begin() there detaches it here first; a blocking caller calls detach() itself. Both lock this
//    poll set, and from then on events that were fetched before carry a serial number that is no longer valid.
//  - nobody, but it becomes readable (the server hung up): drain() finds it not in flight, takes it out of the set and
//    marks it suspect. If an acquirer is just detaching it, the mutex decides who takes it out; the other finds nothing.
// Registration fields in Steppable are written only by the connection's owner; "in flight" is kept in the poll set, and
// only this thread sets or clears it, so drain() may call ready() without lock: an operation ends on this thread only.
// A descriptor must be detached before it is closed, else its number comes back as somebody else's.
class Reactor final : public std::enable_shared_from_this<Reactor> {
    struct Private {};

public:
    // nullptr and errno in `error` when the system has no descriptors or memory left.
    static std::shared_ptr<Reactor> create(int& error) noexcept;
    Reactor(Private, std::shared_ptr<PollSet> set) noexcept;
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;
    ~Reactor();  // closed or abandoned before

    // Readable when drain() has something to do; -1 when closed.
    int descriptor() const noexcept { return set_->descriptor(); }

    // Puts a connection in flight here, waiting for `want` (not done). 0 or errno: ESHUTDOWN when closed.
    int begin(Steppable& steppable, Want want) noexcept;
    // Changes what a connection in flight waits for. 0 or errno.
    int want(Steppable& steppable, Want want) noexcept;
    // Out of flight; stays registered. Must come before the connection goes back to its pool. Nothing happens when it is
    // not in flight here.
    void end(Steppable& steppable) noexcept;
    // Any thread: the owner takes a connection (not in flight) out of whichever reactor it is registered in.
    static void detach(Steppable& steppable) noexcept;

    // Any thread. False when closed: the task is still the caller's. One wake-up serves all tasks posted until drained.
    bool post(Task& task) noexcept;

    // Arms or moves a deadline. A system call is made only when it is earlier than what the timer is set to. False: closed
    // or out of memory.
    bool arm(Deadline& deadline, TimePoint when) noexcept;
    void disarm(Deadline& deadline) noexcept { deadlines_.disarm(deadline); }

    // One round without waiting: ready connections (at most `maximum` events), then posted tasks, then expired deadlines.
    // What is left makes the descriptor readable again. Returns the number of callbacks made.
    int drain(int maximum = 64) noexcept;

    // While one lives, a turn of the loop is open: what it does may collect work for its end. drain() opens one around
    // itself; whoever goes on with tasks after drain() opens one around both.
    class Turn {
    public:
        explicit Turn(Reactor& reactor) noexcept : reactor_(reactor.shared_from_this()) { ++reactor_->turns_; }
        ~Turn() {
            if (reactor_->turns_ == 1) reactor_->end_turn();
            --reactor_->turns_;
        }
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;

    private:
        const std::shared_ptr<Reactor> reactor_;
    };
    bool turn_open() const noexcept { return turns_ != 0; }
    // Calls turn_ended() once, at the end of the open turn, or in the next drain(), which is woken. Nothing happens when it is
    // listed already or the reactor is closed.
    void at_turn_end(TurnEnd& one) noexcept;
    static void forget_turn_end(TurnEnd& one) noexcept;
    // What was collected for the end of the turn is done now: nobody else is going to add to it.
    void end_turn() noexcept;

    // When exactly one connection is in flight, drain() steps it at once and asks the system only if that did not finish
    // it: one system call less per operation of a lone task. On by default.
    void set_direct_step(bool on) noexcept { direct_step_ = on; }

    std::uint32_t in_flight() const noexcept { return in_flight_; }
    bool closed() const noexcept { return closed_; }

    // Everything in flight, armed or posted gets abandoned(); later calls fail. On the reactor's thread, or on any other
    // when that has ended.
    void close() noexcept;
    // In a fork's child: closes the child's descriptors, runs and frees nothing. The object is not usable afterwards.
    void abandon_after_fork() noexcept;

private:
    int step_ready(int maximum) noexcept;
    int run_tasks() noexcept;
    int run_expired() noexcept;
    void unlink(Steppable& steppable) noexcept;

    const std::shared_ptr<PollSet> set_;
    lockfree::MpscInbox<> inbox_;
    Deadlines deadlines_;
    TimePoint timer_ = TimePoint::max();  // what the system's timer is set to; max: not set
    Steppable* first_ = nullptr;          // those in flight
    std::uint32_t in_flight_ = 0;
    std::uint32_t turns_ = 0;             // open ones, nested
    TurnEnd *first_turn_end_ = nullptr, *last_turn_end_ = nullptr;
    bool direct_step_ = true;
    bool timer_fired_ = false;
    bool closed_ = false;
};

}  // namespace barewire::net
