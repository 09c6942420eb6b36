// Sliced waits: readiness, deadlines, interrupts, notification by another thread.
#include "net/blocking.h"

#include <signal.h>

#include <cerrno>
#include <thread>

#include "support/catch.h"
#include "support/sockets.h"

using namespace barewire::net;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

struct Counter final : Interrupt {
    bool interrupted() noexcept override { return ++asked == stop_at; }
    int asked = 0;
    int stop_at = -1;
};

}  // namespace

TEST_CASE("wait_descriptor: ready at once, for reading and for writing", "[net]") {
    SocketPair pair;
    Counter counter;
    CHECK(wait_descriptor(pair.ends[0], Want::write, Clock::time_point::max(), counter) == Waited::ready);
    CHECK(wait_descriptor(pair.ends[0], Want::both, Clock::time_point::max(), counter) == Waited::ready);
    pair.send('x');
    CHECK(wait_descriptor(pair.ends[0], Want::read, Clock::now() - 1s, counter) == Waited::ready);
    CHECK(counter.asked == 0);
}

TEST_CASE("wait_descriptor: gives up at its deadline, asks between slices", "[net]") {
    SocketPair pair;
    Counter counter;
    const auto begin = Clock::now();
    CHECK(wait_descriptor(pair.ends[0], Want::read, begin + 250ms, counter) == Waited::timeout);
    CHECK(Clock::now() - begin >= 250ms);
    CHECK(counter.asked >= 2);
    CHECK(wait_descriptor(pair.ends[0], Want::read, begin, counter) == Waited::timeout);
}

TEST_CASE("wait_descriptor: an interrupt ends a wait without limit", "[net]") {
    SocketPair pair;
    Counter counter;
    counter.stop_at = 2;
    CHECK(wait_descriptor(pair.ends[0], Want::read, Clock::time_point::max(), counter) == Waited::interrupted);
    CHECK(counter.asked == 2);
}

TEST_CASE("wait_descriptor: a signal is noticed before the slice is over", "[net]") {
    struct sigaction action {}, before {};
    action.sa_handler = [](int) {};
    REQUIRE(sigaction(SIGUSR1, &action, &before) == 0);
    // A busy machine may wake any of the two late: one prompt notice in ten is proof.
    bool prompt = false;
    for (int attempt = 0; attempt < 10 && !prompt; ++attempt) {
        SocketPair pair;
        Counter counter;
        counter.stop_at = 1;
        const pthread_t waiter = pthread_self();
        std::thread sender([&] {
            std::this_thread::sleep_for(20ms);
            pthread_kill(waiter, SIGUSR1);
        });
        const auto begin = Clock::now();
        CHECK(wait_descriptor(pair.ends[0], Want::read, Clock::time_point::max(), counter) == Waited::interrupted);
        prompt = Clock::now() - begin < 80ms;
        sender.join();
    }
    CHECK(prompt);
    sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE("wait_descriptor: hang-up counts as ready, a closed descriptor fails", "[net]") {
    Counter counter;
    {
        SocketPair pair;
        pair.close_end(1);
        CHECK(wait_descriptor(pair.ends[0], Want::read, Clock::time_point::max(), counter) == Waited::ready);
    }
    const int closed = dup(0);
    REQUIRE(closed >= 0);
    close(closed);
    CHECK(wait_descriptor(closed, Want::read, Clock::time_point::max(), counter) == Waited::failed);
    CHECK(errno == EBADF);
}

TEST_CASE("signal: notified before, during, never", "[net]") {
    Counter counter;
    Signal signal;
    CHECK(signal.wait(Clock::now() + 20ms, counter) == Waited::timeout);
    signal.notify();
    CHECK(signal.wait(Clock::time_point::max(), counter) == Waited::ready);
    signal.reset();
    std::thread other([&] {
        std::this_thread::sleep_for(30ms);
        signal.notify();
    });
    CHECK(signal.wait(Clock::time_point::max(), counter) == Waited::ready);
    other.join();
    signal.reset();
    counter.asked = 0;
    counter.stop_at = 1;
    CHECK(signal.wait(Clock::time_point::max(), counter) == Waited::interrupted);
}
