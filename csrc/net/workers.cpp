// The elastic thread pool for blocking jobs. Nothing that knows a protocol may live here.
#include "net/workers.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace barewire::net {

struct Workers::State {
    State(unsigned maximum_, std::chrono::milliseconds idle_time_) : maximum(maximum_), idle_time(idle_time_) {
        threads.reserve(maximum);
        ended.reserve(maximum);
    }

    // Joins threads that have left their loop, so that a thread handle never piles up; the mutex is held.
    void join_ended() noexcept {
        for (pthread_t thread : ended) pthread_join(thread, nullptr);
        ended.clear();
    }

    const unsigned maximum;
    const std::chrono::milliseconds idle_time;
    std::atomic<bool> stop{false};  // written under the mutex; jobs read it relaxed or stronger

    mutable std::mutex mutex;  // guards everything below
    std::condition_variable work;
    std::condition_variable stopped;
    std::deque<std::unique_ptr<Job>> jobs;
    std::vector<pthread_t> threads;  // running
    std::vector<pthread_t> ended;    // to be joined; together with `threads` never more than `maximum`
    unsigned idle = 0;               // of `threads`, those that wait for work
};

Workers::Workers(unsigned maximum, std::chrono::milliseconds idle_time)
    : state_(std::make_unique<State>(std::max(maximum, 1u), idle_time)) {}

Workers::~Workers() {
    if (state_) stop();
}

Submitted Workers::submit(std::unique_ptr<Job>& job) noexcept {
    State* state = state_.get();
    if (!state) return Submitted::stopped;
    std::lock_guard guard(state->mutex);
    if (state->stop.load(std::memory_order_relaxed)) return Submitted::stopped;
    state->join_ended();
    const auto take = [&] {
        try {
            state->jobs.push_back(std::move(job));
            return true;
        } catch (const std::bad_alloc&) {  // push_back takes nothing when it throws
            return false;
        }
    };
    if (state->idle > state->jobs.size() || state->threads.size() >= state->maximum) {
        if (!take()) return Submitted::no_threads;
        state->work.notify_one();
        return Submitted::accepted;
    }
    // The new thread inherits the mask, so there is no moment at which a signal could be delivered to it.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    const int error = pthread_create(&thread, nullptr, &Workers::main, state);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error == 0) state->threads.push_back(thread);  // reserved
    else if (state->threads.empty()) return Submitted::no_threads;
    if (!take()) return Submitted::no_threads;
    state->work.notify_one();
    return Submitted::accepted;
}

void* Workers::main(void* argument) noexcept {
    State& state = *static_cast<State*>(argument);
    std::unique_lock lock(state.mutex);
    for (;;) {
        if (state.jobs.empty()) {
            ++state.idle;
            state.work.wait_for(lock, state.idle_time,
                                [&] { return !state.jobs.empty() || state.stop.load(std::memory_order_relaxed); });
            --state.idle;
        }
        if (state.jobs.empty()) break;  // idle for long, or stopping
        std::unique_ptr<Job> job = std::move(state.jobs.front());
        state.jobs.pop_front();
        lock.unlock();
        job->run(state.stop);
        job.reset();
        lock.lock();
    }
    // Listed as ended under the mutex: whoever joins has the mutex after us, and waits for our last instructions only.
    const pthread_t self = pthread_self();
    const auto found = std::find_if(state.threads.begin(), state.threads.end(),
                                    [&](pthread_t thread) { return pthread_equal(thread, self); });
    state.ended.push_back(*found);
    state.threads.erase(found);
    state.stopped.notify_all();
    return nullptr;
}

void Workers::stop() noexcept {
    State* state = state_.get();
    if (!state) return;
    std::deque<std::unique_ptr<Job>> jobs;
    {
        std::lock_guard guard(state->mutex);
        state->stop.store(true, std::memory_order_release);
        jobs.swap(state->jobs);
        state->work.notify_all();
    }
    for (std::unique_ptr<Job>& job : jobs) {
        job->abandoned();
        job.reset();
    }
    std::unique_lock lock(state->mutex);
    state->stopped.wait(lock, [&] { return state->threads.empty(); });
    state->join_ended();
}

bool Workers::abandon_after_fork() noexcept {
    State* old = state_.release();  // leaked on purpose
    try {
        if (old) state_ = std::make_unique<State>(old->maximum, old->idle_time);
        return state_ != nullptr;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

unsigned Workers::threads() const noexcept {
    if (!state_) return 0;
    std::lock_guard guard(state_->mutex);
    return static_cast<unsigned>(state_->threads.size());
}

}  // namespace barewire::net
