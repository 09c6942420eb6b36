// The drain loop of one event loop. Nothing that knows a protocol may live here.
#include "net/reactor.h"

#include <cerrno>
#include <new>
#include <utility>

namespace barewire::net {

std::shared_ptr<Reactor> Reactor::create(int& error) noexcept {
    std::shared_ptr<PollSet> set = PollSet::create(error);
    if (!set) return nullptr;
    try {
        return std::make_shared<Reactor>(Private{}, std::move(set));
    } catch (const std::bad_alloc&) {
        error = ENOMEM;
        return nullptr;
    }
}

Reactor::Reactor(Private, std::shared_ptr<PollSet> set) noexcept : set_(std::move(set)) {}

Reactor::~Reactor() { close(); }

int Reactor::begin(Steppable& steppable, Want want) noexcept {
    if (closed_) return ESHUTDOWN;
    if (steppable.registration_.set && steppable.registration_.set != set_) detach(steppable);
    if (const int error = set_->enter(steppable, steppable.registration_, want, set_)) return error;
    if (steppable.driver_ == this) return 0;
    steppable.driver_ = this;
    steppable.previous_ = nullptr;
    steppable.next_ = first_;
    if (first_) first_->previous_ = &steppable;
    first_ = &steppable;
    ++in_flight_;
    return 0;
}

int Reactor::want(Steppable& steppable, Want want) noexcept { return set_->want(steppable.registration_, want); }

void Reactor::unlink(Steppable& steppable) noexcept {
    (steppable.previous_ ? steppable.previous_->next_ : first_) = steppable.next_;
    if (steppable.next_) steppable.next_->previous_ = steppable.previous_;
    steppable.previous_ = steppable.next_ = nullptr;
    steppable.driver_ = nullptr;
    --in_flight_;
}

void Reactor::end(Steppable& steppable) noexcept {
    if (steppable.driver_ != this) return;
    unlink(steppable);
    set_->rest(steppable.registration_);
}

void Reactor::detach(Steppable& steppable) noexcept {
    if (!steppable.registration_.set) return;
    const std::shared_ptr<PollSet> set = std::move(steppable.registration_.set);
    set->leave(steppable.registration_);
}

bool Reactor::post(Task& task) noexcept {
    switch (inbox_.push(task)) {
        case lockfree::Pushed::closed: return false;
        case lockfree::Pushed::first: set_->wake(); break;
        case lockfree::Pushed::behind: break;
    }
    return true;
}

bool Reactor::arm(Deadline& deadline, TimePoint when) noexcept {
    if (closed_ || !deadlines_.arm(deadline, when)) return false;
    if (when < timer_) {
        timer_ = when;
        set_->set_timer(when);
    }
    return true;
}

int Reactor::drain(int maximum) noexcept {
    if (closed_) return 0;
    const Turn turn(*this);  // and a callback may drop the last reference from outside
    int calls = step_ready(maximum);
    calls += run_tasks();
    if (timer_fired_) calls += run_expired();
    return calls;
}

void Reactor::at_turn_end(TurnEnd& one) noexcept {
    if (one.listed_ || closed_) return;
    one.listed_ = this;
    one.previous_turn_ = last_turn_end_;
    one.next_turn_ = nullptr;
    (last_turn_end_ ? last_turn_end_->next_turn_ : first_turn_end_) = &one;
    last_turn_end_ = &one;
    // One wake-up serves all that is collected until the loop comes to drain().
    if (turns_ == 0 && one.previous_turn_ == nullptr) set_->wake();
}

void Reactor::forget_turn_end(TurnEnd& one) noexcept {
    Reactor* reactor = one.listed_;
    if (!reactor) return;
    one.listed_ = nullptr;
    (one.previous_turn_ ? one.previous_turn_->next_turn_ : reactor->first_turn_end_) = one.next_turn_;
    (one.next_turn_ ? one.next_turn_->previous_turn_ : reactor->last_turn_end_) = one.previous_turn_;
}

void Reactor::end_turn() noexcept {
    while (TurnEnd* one = first_turn_end_) {
        forget_turn_end(*one);
        if (!closed_) one->turn_ended();
    }
}

int Reactor::step_ready(int maximum) noexcept {
    int calls = 0;
    if (direct_step_ && in_flight_ == 1) {
        Steppable* sole = first_;
        sole->ready();
        ++calls;
        // Finished (or somebody else is in flight now): whatever else is ready keeps the descriptor readable. Still in
        // flight: perhaps it was not this connection that woke us, so ask.
        if (in_flight_ != 1 || first_ != sole) return calls;
    }
    std::uint64_t tokens[64];
    const int count = set_->poll(tokens, maximum < 64 ? maximum : 64);
    for (int i = 0; i < count; ++i) {
        if (tokens[i] == Poller::wake_token) continue;  // the inbox is looked at in any case
        if (tokens[i] == Poller::timer_token) {
            timer_fired_ = true;
            continue;
        }
        if (Steppable* steppable = set_->resolve(tokens[i])) {
            steppable->ready();
            ++calls;
        }
    }
    return calls;
}

int Reactor::run_tasks() noexcept {
    int calls = 0;
    lockfree::InboxNode* node = inbox_.take_all();
    while (node) {
        Task* task = static_cast<Task*>(node);
        node = node->inbox_next;  // read first: the task may die in run()
        if (closed_) task->abandoned();
        else task->run();
        ++calls;
    }
    return calls;
}

int Reactor::run_expired() noexcept {
    timer_fired_ = false;
    timer_ = TimePoint::max();
    int calls = 0;
    const TimePoint now = std::chrono::steady_clock::now();
    while (Deadline* deadline = deadlines_.pop_due(now)) {
        deadline->expired();
        ++calls;
    }
    if (!closed_ && deadlines_.earliest() < timer_) {
        timer_ = deadlines_.earliest();
        set_->set_timer(timer_);
    }
    return calls;
}

void Reactor::close() noexcept {
    if (std::exchange(closed_, true)) return;
    lockfree::InboxNode* node = inbox_.close();
    set_->close();
    while (first_turn_end_) forget_turn_end(*first_turn_end_);
    while (Steppable* steppable = first_) {
        unlink(*steppable);
        steppable->abandoned();
    }
    while (Deadline* deadline = deadlines_.pop_due(TimePoint::max())) deadline->abandoned();
    while (node) {
        Task* task = static_cast<Task*>(node);
        node = node->inbox_next;
        task->abandoned();
    }
}

void Reactor::abandon_after_fork() noexcept {
    closed_ = true;
    set_->close_after_fork();
}

}  // namespace barewire::net
