// Exhaustive search over the interleavings of a few small threads: atomics and a mutex that hand control to a scheduler
// before every access, and a depth-first search over its choices. Sequential consistency only: weaker memory orders are
// the business of ThreadSanitizer and of review. One operating-system thread; no test may live here.
#pragma once

#include <ucontext.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

// Tag of the tests. ThreadSanitizer cannot follow the switches between stacks (and has nothing to find on one thread), so
// there they are hidden.
#if defined(__SANITIZE_THREAD__)
#define INTERLEAVINGS "[.interleavings]"
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define INTERLEAVINGS "[.interleavings]"
#endif
#endif
#ifndef INTERLEAVINGS
#define INTERLEAVINGS "[interleavings]"
#endif

namespace interleave {

// What a search found.
struct Result {
    std::uint64_t runs = 0;      // complete interleavings executed
    std::uint64_t failures = 0;  // of those, with a failed check or a deadlock
    std::string first_failure;   // the check's text and the order in which threads ran
};

class Scheduler {
public:
    // One interleaving: fresh state, its threads, and a check at the end ("" = fine).
    struct Scene {
        std::vector<std::function<void()>> threads;
        std::function<std::string()> check;
    };

    // Runs every interleaving with at most `preemptions` switches away from a thread that could have gone on.
    static Result search(const std::function<Scene()>& make, unsigned preemptions = ~0u,
                         std::uint64_t max_runs = 3'000'000) {
        Scheduler scheduler(preemptions);
        Result result;
        do {
            const std::string failure = scheduler.run_once(make());
            ++result.runs;
            if (!failure.empty() && result.failures++ == 0) result.first_failure = failure + scheduler.trace();
            if (result.runs == max_runs) {
                ++result.failures;
                result.first_failure += " search not finished";
                break;
            }
        } while (scheduler.next_path());
        return result;
    }

    // Called by the shims.
    static void point() {
        if (current_) current_->switch_out();
    }
    static bool active() { return current_ != nullptr; }
    // Blocks the running thread until `*busy` is false.
    static void block_while(const bool* busy) {
        while (*busy) {
            if (!current_) std::abort();  // nobody could ever free it
            current_->fibers_[current_->running_]->blocked_on = busy;
            current_->switch_out();
        }
    }

private:
    struct Fiber {
        ucontext_t context;
        std::unique_ptr<char[]> stack{new char[stack_size]};
        std::function<void()> body;
        const bool* blocked_on = nullptr;
        bool finished = false;
    };
    struct Choice {
        std::size_t taken;
        std::size_t options;
        std::size_t thread;
    };
    static constexpr std::size_t stack_size = 256 * 1024;

    explicit Scheduler(unsigned preemptions) : bound_(preemptions) {}

    static void enter(unsigned high, unsigned low) {
        auto* fiber = reinterpret_cast<Fiber*>(std::uintptr_t{high} << 32 | low);
        // Entered once, used for every run.
        for (;;) {
            fiber->body();
            fiber->finished = true;
            current_->switch_out();
        }
    }

    void switch_out() {
        const std::size_t me = running_;
        swapcontext(&fibers_[me]->context, &home_);
    }

    std::string run_once(Scene scene) {
        const std::size_t count = scene.threads.size();
        while (fibers_.size() < count) fibers_.push_back(std::make_unique<Fiber>());
        for (std::size_t i = 0; i < count; ++i) {
            Fiber& fiber = *fibers_[i];
            fiber.body = scene.threads[i];
            fiber.blocked_on = nullptr;
            const bool reusable = fiber.finished;  // else never entered, or stuck in a deadlock
            fiber.finished = false;
            if (reusable) continue;
            getcontext(&fiber.context);
            fiber.context.uc_stack.ss_sp = fiber.stack.get();
            fiber.context.uc_stack.ss_size = stack_size;
            fiber.context.uc_link = nullptr;
            const auto address = reinterpret_cast<std::uintptr_t>(&fiber);
            makecontext(&fiber.context, reinterpret_cast<void (*)()>(&Scheduler::enter), 2,
                        static_cast<unsigned>(address >> 32), static_cast<unsigned>(address));
        }
        running_ = count;  // nobody
        depth_ = 0;
        unsigned used = 0;
        std::string failure;
        for (;;) {
            std::vector<std::size_t> able;
            const auto runnable = [&](std::size_t i) {
                return !fibers_[i]->finished && !(fibers_[i]->blocked_on && *fibers_[i]->blocked_on);
            };
            const bool can_go_on = running_ < count && runnable(running_);
            if (can_go_on) able.push_back(running_);
            if (!can_go_on || used < bound_) {
                for (std::size_t i = 0; i < count; ++i) {
                    if (i != running_ && runnable(i)) able.push_back(i);
                }
            }
            if (able.empty()) break;
            if (depth_ == path_.size()) path_.push_back({0, able.size(), 0});
            Choice& choice = path_[depth_++];
            choice.options = able.size();
            choice.thread = able[choice.taken];
            if (can_go_on && choice.thread != running_) ++used;
            running_ = choice.thread;
            fibers_[running_]->blocked_on = nullptr;
            current_ = this;
            swapcontext(&home_, &fibers_[running_]->context);
            current_ = nullptr;
        }
        path_.resize(depth_);
        for (std::size_t i = 0; i < count; ++i) {
            if (!fibers_[i]->finished) return "deadlock";
        }
        return scene.check();
    }

    bool next_path() {
        while (!path_.empty() && path_.back().taken + 1 == path_.back().options) path_.pop_back();
        if (path_.empty()) return false;
        ++path_.back().taken;
        return true;
    }

    std::string trace() const {
        std::string text = " [threads";
        for (const Choice& choice : path_) text += ' ' + std::to_string(choice.thread);
        return text + ']';
    }

    inline static Scheduler* current_ = nullptr;
    const unsigned bound_;
    ucontext_t home_;
    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::vector<Choice> path_;
    std::size_t depth_ = 0;
    std::size_t running_ = 0;
};

template <class T>
class Atomic {
public:
    constexpr Atomic() noexcept = default;
    constexpr Atomic(T value) noexcept : value_(value) {}
    Atomic(const Atomic&) = delete;
    Atomic& operator=(const Atomic&) = delete;

    T load(std::memory_order = std::memory_order_seq_cst) const noexcept {
        Scheduler::point();
        return value_;
    }
    void store(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
        Scheduler::point();
        value_ = value;
    }
    T exchange(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
        Scheduler::point();
        return std::exchange(value_, value);
    }
    T fetch_add(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
        Scheduler::point();
        const T before = value_;
        value_ = static_cast<T>(before + value);
        return before;
    }
    T fetch_sub(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return fetch_add(static_cast<T>(T{} - value), order);
    }
    bool compare_exchange_weak(T& expected, T value, std::memory_order, std::memory_order) noexcept {
        return compare_exchange_strong(expected, value, {}, {});
    }
    bool compare_exchange_strong(T& expected, T value, std::memory_order, std::memory_order) noexcept {
        Scheduler::point();
        if (value_ == expected) {
            value_ = value;
            return true;
        }
        expected = value_;
        return false;
    }

private:
    T value_{};
};

class Mutex {
public:
    void lock() {
        Scheduler::point();
        Scheduler::block_while(&busy_);
        busy_ = true;
    }
    void unlock() { busy_ = false; }

private:
    bool busy_ = false;
};

// For the Platform parameter of the algorithms.
struct Platform {
    template <class T>
    using Atomic = interleave::Atomic<T>;
    using Mutex = interleave::Mutex;
};

}  // namespace interleave
