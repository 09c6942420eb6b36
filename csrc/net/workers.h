// A few threads for calls of client libraries that block (name lookup, TLS, authentication). No hot path, no Python.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

namespace barewire::net {

// One blocking call. Destroyed on the thread that ran or abandoned it.
class Job {
public:
    virtual ~Job() = default;
    // On a worker, all signals blocked. A long job looks at `stop` now and then and ends early when it is true.
    virtual void run(const std::atomic<bool>& stop) noexcept = 0;
    // The workers were stopped before the job began; called on the thread that stops them.
    virtual void abandoned() noexcept = 0;
};

enum class Submitted : std::uint8_t {
    accepted,
    stopped,     // stop() was called
    no_threads,  // the system gives no thread (or no memory) and there is none yet
};

// Threads start when jobs come (none before), up to `maximum`, and end after `idle_time` without work. Jobs start in the
// order of submission.
class Workers {
public:
    explicit Workers(unsigned maximum,
                     std::chrono::milliseconds idle_time = std::chrono::seconds(5));  // throws std::bad_alloc
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    ~Workers();  // stops

    // Any thread. `job` is taken only when accepted.
    Submitted submit(std::unique_ptr<Job>& job) noexcept;

    // Queued jobs are abandoned, running ones see their stop flag, all threads are joined. Returns when nothing of this
    // object runs any more. Safe to call twice and from several threads; never from a job.
    void stop() noexcept;

    // In a fork's child, where the threads do not exist and the mutex may be held for ever: forgets both without touching
    // or freeing them, jobs included. The object is then like new.
    // False: out of memory; the object stays unusable (submit says stopped).
    bool abandon_after_fork() noexcept;

    // Threads that exist now.
    unsigned threads() const noexcept;

private:
    struct State;
    static void* main(void* state) noexcept;

    std::unique_ptr<State> state_;
};

}  // namespace barewire::net
