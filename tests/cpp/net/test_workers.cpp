// Workers: order, growth and shrinking, stopping in every state, signal mask, life after fork.
#include "net/workers.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "support/catch.h"

using namespace barewire::net;
using namespace std::chrono_literals;

namespace {

struct Lambda final : Job {
    std::function<void(const std::atomic<bool>&)> body;
    std::function<void()> on_abandoned;
    void run(const std::atomic<bool>& stop) noexcept override { body(stop); }
    void abandoned() noexcept override {
        if (on_abandoned) on_abandoned();
    }
};

Submitted submit(Workers& workers, std::function<void(const std::atomic<bool>&)> body,
                 std::function<void()> on_abandoned = {}) {
    auto job = std::make_unique<Lambda>();
    job->body = std::move(body);
    job->on_abandoned = std::move(on_abandoned);
    std::unique_ptr<Job> base = std::move(job);
    return workers.submit(base);
}

struct Latch {
    void open() {
        std::lock_guard guard(mutex);
        is_open = true;
        condition.notify_all();
    }
    void wait() {
        std::unique_lock lock(mutex);
        // No Catch2 macro: workers wait here too.
        if (!condition.wait_for(lock, 10s, [&] { return is_open; })) std::abort();
    }
    std::mutex mutex;
    std::condition_variable condition;
    bool is_open = false;
};

bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 2000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

}  // namespace

TEST_CASE("workers: no thread before the first job, none after a while without", "[net]") {
    Workers workers(3, 10ms);
    CHECK(workers.threads() == 0);
    std::atomic<int> done{0};
    for (int i = 0; i < 20; ++i) REQUIRE(submit(workers, [&](auto&) { ++done; }) == Submitted::accepted);
    CHECK(workers.threads() <= 3);
    CHECK(eventually([&] { return done == 20; }));
    CHECK(eventually([&] { return workers.threads() == 0; }));
    REQUIRE(submit(workers, [&](auto&) { ++done; }) == Submitted::accepted);
    CHECK(eventually([&] { return done == 21; }));
}

TEST_CASE("workers: as many at once as allowed, the rest waits", "[net]") {
    Workers workers(2);
    Latch gate;
    std::atomic<int> running{0}, later{0};
    for (int i = 0; i < 2; ++i) {
        REQUIRE(submit(workers, [&](auto&) {
                    ++running;
                    gate.wait();
                }) == Submitted::accepted);
    }
    CHECK(eventually([&] { return running == 2; }));
    for (int i = 0; i < 2; ++i) REQUIRE(submit(workers, [&](auto&) { ++later; }) == Submitted::accepted);
    CHECK(workers.threads() == 2);
    std::this_thread::sleep_for(5ms);
    CHECK(later == 0);
    gate.open();
    CHECK(eventually([&] { return later == 2; }));
}

TEST_CASE("workers: one thread keeps the order of submission", "[net]") {
    Workers workers(1);
    std::vector<int> order;
    Latch finished;
    for (int i = 0; i < 50; ++i) {
        REQUIRE(submit(workers, [&, i](auto&) {
                    order.push_back(i);
                    if (i == 49) finished.open();
                }) == Submitted::accepted);
    }
    finished.wait();
    workers.stop();
    REQUIRE(order.size() == 50);
    for (int i = 0; i < 50; ++i) CHECK(order[i] == i);
}

TEST_CASE("workers: stop tells running jobs, abandons queued ones and joins", "[net]") {
    Workers workers(1);
    Latch started;
    std::atomic<bool> saw_stop{false}, ran{false}, abandoned{false};
    REQUIRE(submit(workers, [&](const std::atomic<bool>& stop) {
                started.open();
                while (!stop) std::this_thread::sleep_for(1ms);
                saw_stop = true;
            }) == Submitted::accepted);
    REQUIRE(submit(workers, [&](auto&) { ran = true; }, [&] { abandoned = true; }) == Submitted::accepted);
    started.wait();
    workers.stop();
    CHECK(saw_stop);
    CHECK_FALSE(ran);
    CHECK(abandoned);
    CHECK(workers.threads() == 0);
    CHECK(submit(workers, [&](auto&) { ran = true; }) == Submitted::stopped);
    workers.stop();
    CHECK_FALSE(ran);
}

TEST_CASE("workers: stop of idle and of never used workers is immediate", "[net]") {
    const auto begin = std::chrono::steady_clock::now();
    {
        Workers unused(4, 1h);
        Workers idle(4, 1h);
        Latch done;
        REQUIRE(submit(idle, [&](auto&) { done.open(); }) == Submitted::accepted);
        done.wait();
        CHECK(idle.threads() == 1);
    }
    CHECK(std::chrono::steady_clock::now() - begin < 5s);
}

TEST_CASE("workers: all signals are blocked in them", "[net]") {
    Workers workers(1);
    Latch done;
    int open = -1;
    REQUIRE(submit(workers, [&](auto&) {
                sigset_t mask;
                pthread_sigmask(SIG_SETMASK, nullptr, &mask);
                open = 0;
                for (int signal : {SIGINT, SIGTERM, SIGUSR1, SIGCHLD, SIGALRM, SIGHUP, SIGPIPE})
                    open += !sigismember(&mask, signal);
                done.open();
            }) == Submitted::accepted);
    done.wait();
    CHECK(open == 0);
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, nullptr, &mine);
    CHECK_FALSE(sigismember(&mine, SIGINT));
}

#if !defined(__SANITIZE_THREAD__)  // which does not support threads in a child of a threaded process
TEST_CASE("workers: a forked child abandons them and works with new threads", "[net][fork]") {
    Workers workers(2, 1h);
    Latch hold, started;
    REQUIRE(submit(workers, [&](auto&) {
                started.open();
                hold.wait();
            }) == Submitted::accepted);
    Latch idle;
    REQUIRE(submit(workers, [&](auto&) { idle.open(); }) == Submitted::accepted);
    started.wait();
    idle.wait();
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        alarm(10);
        if (!workers.abandon_after_fork()) _exit(2);
        if (workers.threads() != 0) _exit(3);
        std::atomic<int> done{0};
        for (int i = 0; i < 4; ++i) {
            if (submit(workers, [&](auto&) { ++done; }) != Submitted::accepted) _exit(4);
        }
        while (done != 4) usleep(1000);
        workers.stop();
        _exit(workers.threads() == 0 ? 0 : 5);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    // The parent's are untouched.
    CHECK(workers.threads() == 2);
    hold.open();
    workers.stop();
}
#endif
