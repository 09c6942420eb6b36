// Reactor: readiness, moving between reactors, hang-ups of idle connections, tasks, deadlines, closing.
#include "net/reactor.h"

#include <cerrno>
#include <functional>
#include <thread>
#include <vector>

#include "support/catch.h"
#include "support/sockets.h"

using namespace barewire::net;
using namespace std::chrono_literals;

namespace {

struct Peer final : Steppable {
    ~Peer() { Reactor::detach(*this); }
    int descriptor() const noexcept override { return pair.ends[0]; }
    void ready() noexcept override {
        ++calls;
        if (on_ready) on_ready();
    }
    void abandoned() noexcept override { ++abandons; }
    int drink() {
        char buffer[64];
        return static_cast<int>(::read(pair.ends[0], buffer, sizeof buffer));
    }
    SocketPair pair;
    std::function<void()> on_ready;
    int calls = 0, abandons = 0;
};

struct Note final : Task {
    void run() noexcept override {
        ++runs;
        if (on_run) on_run();
    }
    void abandoned() noexcept override { ++abandons; }
    std::function<void()> on_run;
    int runs = 0, abandons = 0;
};

struct Alarm final : Deadline {
    void expired() noexcept override { ++expiries; }
    void abandoned() noexcept override { ++abandons; }
    int expiries = 0, abandons = 0;
};

std::shared_ptr<Reactor> make(bool direct = false) {
    int error = 0;
    auto reactor = Reactor::create(error);
    REQUIRE(reactor);
    REQUIRE(error == 0);
    reactor->set_direct_step(direct);
    return reactor;
}

Deadlines::TimePoint in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

}  // namespace

TEST_CASE("reactor: serves what is ready and is readable only then", "[net]") {
    const bool direct = GENERATE(false, true);
    auto reactor = make(direct);
    CHECK_FALSE(readable(reactor->descriptor()));
    CHECK(reactor->drain() == 0);
    Peer a, b;
    REQUIRE(reactor->begin(a, Want::read) == 0);
    REQUIRE(reactor->begin(b, Want::read) == 0);
    CHECK(reactor->in_flight() == 2);
    CHECK_FALSE(readable(reactor->descriptor()));
    b.pair.send('x');
    CHECK(readable(reactor->descriptor(), 1000));
    b.on_ready = [&] {
        b.drink();
        reactor->end(b);
    };
    CHECK(reactor->drain() == 1);
    CHECK(a.calls == 0);
    CHECK(b.calls == 1);
    CHECK(reactor->in_flight() == 1);
    CHECK_FALSE(readable(reactor->descriptor()));
    reactor->end(a);
    reactor->end(a);
    CHECK(reactor->in_flight() == 0);
}

TEST_CASE("reactor: waits for writing, and an ended connection does not spin", "[net]") {
    auto reactor = make();
    Peer a;
    REQUIRE(reactor->begin(a, Want::write) == 0);
    CHECK(readable(reactor->descriptor(), 1000));
    a.on_ready = [&] { REQUIRE(reactor->want(a, Want::read) == 0); };
    CHECK(reactor->drain() == 1);
    CHECK_FALSE(readable(reactor->descriptor()));
    REQUIRE(reactor->want(a, Want::both) == 0);
    CHECK(readable(reactor->descriptor(), 1000));
    reactor->end(a);
    CHECK_FALSE(readable(reactor->descriptor()));
    CHECK_FALSE(a.take_suspicion());
}

TEST_CASE("reactor: an idle connection that becomes readable leaves the set and is suspect", "[net]") {
    auto reactor = make();
    Peer a;
    REQUIRE(reactor->begin(a, Want::read) == 0);
    reactor->end(a);
    a.pair.close_end(1);
    CHECK(readable(reactor->descriptor(), 1000));
    CHECK(reactor->drain() == 0);
    CHECK_FALSE(readable(reactor->descriptor()));
    CHECK(a.calls == 0);
    CHECK(a.take_suspicion());
    CHECK_FALSE(a.take_suspicion());
    // Used again all the same: registered anew.
    REQUIRE(reactor->begin(a, Want::read) == 0);
    CHECK(readable(reactor->descriptor(), 1000));
    CHECK(reactor->drain() == 1);
    reactor->end(a);
}

TEST_CASE("reactor: a connection moves to another reactor and to a blocking caller", "[net]") {
    auto first = make(), second = make();
    Peer a;
    REQUIRE(first->begin(a, Want::read) == 0);
    first->end(a);
    REQUIRE(second->begin(a, Want::read) == 0);
    a.pair.send('x');
    CHECK(readable(second->descriptor(), 1000));
    CHECK_FALSE(readable(first->descriptor()));
    CHECK(second->drain() == 1);
    a.drink();
    second->end(a);
    Reactor::detach(a);
    Reactor::detach(a);
    a.pair.send('y');
    CHECK_FALSE(readable(second->descriptor(), 20));
    CHECK_FALSE(a.take_suspicion());
}

TEST_CASE("reactor: an event fetched before its connection left is dropped", "[net]") {
    auto reactor = make();
    Peer a, b;
    REQUIRE(reactor->begin(a, Want::read) == 0);
    REQUIRE(reactor->begin(b, Want::read) == 0);
    a.pair.send('x');
    b.pair.send('x');
    // Whichever comes first takes the other one out, in the same round.
    const auto leave = [&](Peer& other) {
        return [&] {
            reactor->end(other);
            Reactor::detach(other);
        };
    };
    a.on_ready = leave(b);
    b.on_ready = leave(a);
    CHECK(reactor->drain() == 1);
    CHECK(a.calls + b.calls == 1);
    reactor->end(a);
    reactor->end(b);
}

TEST_CASE("reactor: entries are used again under another serial number", "[net]") {
    auto reactor = make();
    for (int i = 0; i < 1000; ++i) {
        Peer a;
        REQUIRE(reactor->begin(a, Want::read) == 0);
        a.pair.send('x');
        REQUIRE(reactor->drain() == 1);
        reactor->end(a);
    }
    CHECK_FALSE(readable(reactor->descriptor()));
}

TEST_CASE("reactor: more ready connections than one round takes", "[net]") {
    auto reactor = make();
    std::vector<std::unique_ptr<Peer>> peers;
    for (int i = 0; i < 100; ++i) {
        peers.push_back(std::make_unique<Peer>());
        Peer& peer = *peers.back();
        peer.on_ready = [&] {
            peer.drink();
            reactor->end(peer);
        };
        REQUIRE(reactor->begin(peer, Want::read) == 0);
        peer.pair.send('x');
    }
    int rounds = 0;
    while (readable(reactor->descriptor())) {
        CHECK(reactor->drain(16) <= 16);
        REQUIRE(++rounds < 100);
    }
    CHECK(reactor->in_flight() == 0);
    CHECK(rounds == 7);
}

TEST_CASE("reactor: the direct step finishes a lone operation and never starves the rest", "[net]") {
    auto reactor = make(true);
    Peer a;
    REQUIRE(reactor->begin(a, Want::read) == 0);
    Note note;
    Alarm alarm;
    REQUIRE(reactor->post(note));
    REQUIRE(reactor->arm(alarm, in(5ms)));
    CHECK(readable(reactor->descriptor(), 1000));
    reactor->drain();  // nothing to read: the step is spurious, the task runs, the wake-up is consumed
    CHECK(note.runs == 1);
    CHECK_FALSE(readable(reactor->descriptor()));
    CHECK(readable(reactor->descriptor(), 1000));
    reactor->drain();
    CHECK(alarm.expiries == 1);
    CHECK_FALSE(readable(reactor->descriptor()));
    a.on_ready = [&] {
        if (a.drink() > 0) reactor->end(a);
    };
    a.pair.send('x');
    CHECK(reactor->drain() == 1);
    CHECK(reactor->in_flight() == 0);
    CHECK_FALSE(readable(reactor->descriptor()));
}

TEST_CASE("reactor: tasks run in order, one wake-up for many, also from other threads", "[net]") {
    auto reactor = make();
    std::vector<int> order;
    Note notes[5];
    for (int i = 0; i < 5; ++i) notes[i].on_run = [&order, i] { order.push_back(i); };
    int posted = 0;
    std::thread([&] {
        for (Note& note : notes) posted += reactor->post(note);
    }).join();
    CHECK(posted == 5);
    CHECK(readable(reactor->descriptor(), 1000));
    CHECK(reactor->drain() == 5);
    CHECK(order == std::vector<int>{0, 1, 2, 3, 4});
    CHECK_FALSE(readable(reactor->descriptor()));
    // Posted from inside a task: the next round.
    Note again;
    notes[0].on_run = [&] { CHECK(reactor->post(again)); };
    REQUIRE(reactor->post(notes[0]));
    CHECK(reactor->drain() == 1);
    CHECK(again.runs == 0);
    CHECK(readable(reactor->descriptor(), 1000));
    CHECK(reactor->drain() == 1);
    CHECK(again.runs == 1);
}

TEST_CASE("reactor: deadlines expire once, late ones wait, disarmed ones never", "[net]") {
    auto reactor = make();
    Alarm soon, later, never;
    REQUIRE(reactor->arm(later, in(60ms)));
    REQUIRE(reactor->arm(never, in(2ms)));
    REQUIRE(reactor->arm(soon, in(10ms)));
    reactor->disarm(never);
    while (soon.expiries == 0) {
        REQUIRE(readable(reactor->descriptor(), 1000));
        reactor->drain();
    }
    CHECK(later.expiries == 0);
    REQUIRE(readable(reactor->descriptor(), 1000));
    while (later.expiries == 0) {
        REQUIRE(readable(reactor->descriptor(), 1000));
        reactor->drain();
    }
    CHECK(soon.expiries == 1);
    CHECK(never.expiries == 0);
    CHECK_FALSE(readable(reactor->descriptor(), 20));
    REQUIRE(reactor->arm(soon, in(-5ms)));
    CHECK(readable(reactor->descriptor(), 1000));
    CHECK(reactor->drain() == 1);
    CHECK(soon.expiries == 2);
}

TEST_CASE("reactor: close abandons everything and refuses more", "[net]") {
    auto reactor = make();
    Peer flying, resting;
    Note posted, refused;
    Alarm alarm, refused_alarm;
    REQUIRE(reactor->begin(flying, Want::read) == 0);
    REQUIRE(reactor->begin(resting, Want::read) == 0);
    reactor->end(resting);
    REQUIRE(reactor->post(posted));
    REQUIRE(reactor->arm(alarm, in(1h)));
    reactor->close();
    reactor->close();
    CHECK(flying.abandons == 1);
    CHECK(resting.abandons == 0);
    CHECK(posted.abandons == 1);
    CHECK(posted.runs == 0);
    CHECK(alarm.abandons == 1);
    CHECK_FALSE(alarm.armed());
    CHECK(reactor->descriptor() == -1);
    CHECK_FALSE(reactor->post(refused));
    CHECK_FALSE(reactor->arm(refused_alarm, in(1s)));
    CHECK(reactor->begin(flying, Want::read) == ESHUTDOWN);
    CHECK(reactor->drain() == 0);
    // A connection outlives the reactor it was registered in, and goes on elsewhere.
    reactor.reset();
    auto other = make();
    REQUIRE(other->begin(resting, Want::read) == 0);
    resting.pair.send('x');
    CHECK(other->drain() == 1);
    other->end(resting);
}

TEST_CASE("reactor: closing from inside a callback ends the round", "[net]") {
    auto reactor = make();
    Peer a, b;
    Note note;
    for (Peer* peer : {&a, &b}) {
        REQUIRE(reactor->begin(*peer, Want::read) == 0);
        peer->pair.send('x');
        peer->on_ready = [&] { reactor->close(); };
    }
    REQUIRE(reactor->post(note));
    reactor->drain();
    CHECK(a.calls + b.calls == 1);
    CHECK(a.abandons == 1);
    CHECK(b.abandons == 1);
    CHECK(note.abandons == 1);
}
