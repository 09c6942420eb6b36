// Reactors on several threads: posting from everywhere, connections that move between loops and blocking callers while
// their old loop still watches them, hang-ups of idle ones. For ThreadSanitizer.
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "net/blocking.h"
#include "net/reactor.h"
#include "pool/pool.h"
#include "support/catch.h"
#include "support/sockets.h"

using namespace barewire;
using namespace barewire::net;
using namespace std::chrono_literals;

namespace {

// A pooled connection to a server in its own process: what send() writes comes back on the descriptor.
class Line : public Steppable {
public:
    Line() noexcept = default;
    ~Line() { close(); }
    int descriptor() const noexcept override { return pair_ ? pair_->ends[0] : -1; }
    void ready() noexcept override {
        const int count = receive();
        if (count < 0) return;  // spurious
        reactor->end(*this);
        ++uses;
        done(context, *this, count == 1);
    }
    void abandoned() noexcept override { std::abort(); }
    void close() noexcept {
        Reactor::detach(*this);
        pair_.reset();
    }
    void open() { pair_ = std::make_unique<SocketPair>(); }
    bool send() { return pair_->ends[1] >= 0 && ::write(pair_->ends[1], "x", 1) == 1; }
    int receive() {
        char byte;
        return static_cast<int>(::read(descriptor(), &byte, 1));
    }
    void hang_up() { pair_->close_end(1); }

    Reactor* reactor = nullptr;
    void (*done)(void*, Line&, bool) = nullptr;
    void* context = nullptr;
    long uses = 0;  // plain: two owners would race on it

private:
    std::unique_ptr<SocketPair> pair_;
};
using LinePool = pool::Pool<Line>;

struct Patience final : Interrupt {
    bool interrupted() noexcept override { return false; }
};

Line* take(LinePool& pool) {
    if (Line* line = pool.try_acquire()) return line;
    Line* line = pool.try_reserve();
    if (line) line->open();
    return line;
}

void drop(LinePool& pool, Line& line) {
    line.close();
    pool.discard(line);
}

// Gives back, now and then with a server that has just hung up: noticed while idle, by whichever loop still watches it.
void give(LinePool& pool, Line& line, std::mt19937& random) {
    if (random() % 16 == 0) line.hang_up();
    pool.release(line);
}

struct Loop {
    Loop(LinePool& pool_, int rounds_, unsigned seed) : pool(pool_), rounds(rounds_), random(seed) {
        int error = 0;
        reactor = Reactor::create(error);
    }

    void start_one() {
        Line* line = take(pool);
        if (!line) return;
        line->reactor = reactor.get();
        line->context = this;
        line->done = [](void* self, Line& l, bool fine) { static_cast<Loop*>(self)->done(l, fine); };
        if (reactor->begin(*line, Want::read) != 0) std::abort();
        if (!line->take_suspicion() && line->send()) return;
        reactor->end(*line);
        ++hang_ups;
        drop(pool, *line);
    }

    void done(Line& line, bool fine) {
        if (!fine) std::abort();
        ++operations;
        give(pool, line, random);
    }

    void run() {
        while (operations < rounds || reactor->in_flight()) {
            if (operations < rounds && reactor->in_flight() < 3) start_one();
            readable(reactor->descriptor(), 1);
            reactor->drain();
        }
        reactor->close();
    }

    LinePool& pool;
    const int rounds;
    std::mt19937 random;
    std::shared_ptr<Reactor> reactor;
    int operations = 0, hang_ups = 0;
};

struct Counted final : Task {
    void run() noexcept override { ++ran; }
    void abandoned() noexcept override { ++gone; }
    int ran = 0, gone = 0;
};

}  // namespace

TEST_CASE("reactor stress: connections wander between three loops and two blocking callers", "[stress]") {
    LinePool pool(4);
    std::vector<std::thread> crew;
    std::vector<std::unique_ptr<Loop>> loops;
    for (unsigned i = 0; i < 3; ++i) {
        loops.push_back(std::make_unique<Loop>(pool, 1500, i));
        crew.emplace_back([loop = loops.back().get()] { loop->run(); });
    }
    std::atomic<int> blocking{0}, failures{0};
    for (unsigned i = 0; i < 2; ++i) {
        crew.emplace_back([&, i] {
            std::mt19937 random(100 + i);
            Patience patience;
            for (int round = 0; round < 1500;) {
                Line* line = take(pool);
                if (!line) {
                    std::this_thread::yield();
                    continue;
                }
                ++round;
                Reactor::detach(*line);
                if (line->take_suspicion() || !line->send()) {
                    drop(pool, *line);
                    continue;
                }
                if (wait_descriptor(line->descriptor(), Want::read, std::chrono::steady_clock::now() + 10s, patience) !=
                        Waited::ready ||
                    line->receive() != 1)
                    ++failures;
                ++line->uses;
                ++blocking;
                give(pool, *line, random);
            }
        });
    }
    for (std::thread& thread : crew) thread.join();
    CHECK(failures == 0);
    for (const auto& loop : loops) CHECK(loop->operations == 1500);
    CHECK(blocking > 1000);
    CHECK(pool.stats().claimed == 0);
    pool.clear();
}

TEST_CASE("reactor stress: every posted task runs or is refused, also while closing", "[stress]") {
    for (int round = 0; round < 20; ++round) {
        int error = 0;
        auto reactor = Reactor::create(error);
        REQUIRE(reactor);
        constexpr int per_thread = 300;
        std::vector<std::vector<Counted>> tasks(3);
        for (auto& each : tasks) each = std::vector<Counted>(per_thread);
        std::atomic<int> refused{0};
        std::vector<std::thread> crew;
        for (auto& mine : tasks) {
            crew.emplace_back([&mine, &refused, reactor] {
                for (Counted& task : mine) {
                    if (!reactor->post(task)) ++refused;
                }
            });
        }
        int calls = 0;
        const bool early = round % 2;
        while (calls < (early ? per_thread : 3 * per_thread)) {
            if (!readable(reactor->descriptor(), 5000)) break;  // a lost wake-up
            calls += reactor->drain();
        }
        CHECK(calls >= (early ? per_thread : 3 * per_thread));
        reactor->close();
        for (std::thread& thread : crew) thread.join();
        int ran = 0, gone = 0;
        for (const auto& each : tasks) {
            for (const Counted& task : each) {
                ran += task.ran;
                gone += task.gone;
                CHECK(task.ran + task.gone <= 1);
            }
        }
        CHECK(ran + gone + refused == 3 * per_thread);
        CHECK(ran == calls);
    }
}
