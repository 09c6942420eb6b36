// One operation on an event loop, from Client::start to completed(). Blocking callers are served by blocking_run.
#pragma once

#include <atomic>
#include <memory>

#include "net/blocking.h"
#include "net/mongo/connection.h"
#include "net/mongo/engine.h"
#include "net/mongo/exchange.h"
#include "net/mongo/parked.h"
#include "net/reactor.h"

namespace barewire::net::mongo {

// Lives on the reactor's thread; deletes itself. Other threads reach it only through wake(), grant() and dismissed(), each
// at most once per waiting, and these only post a task. While it waits its timer is armed, so that a closing reactor
// finds it.
class Flight final : public ConnectionWaiter, public Parked, public ConnectionUser {
public:
    Flight(std::shared_ptr<Engine> engine, Operation& operation, Reactor& reactor) noexcept;
    // Drives it as far as it goes. It may be gone afterwards.
    void go() noexcept;

    // --- any thread ---
    void wake() noexcept override;
    void grant(Connection& connection, bool connected) noexcept override;
    void dismissed(const Failure& why) noexcept override;

    // --- the reactor's thread ---
    void connection_ready() noexcept override;
    void connection_abandoned() noexcept override;

private:
    friend class LocalScope;
    // `handed_over`: a worker sends the request over TLS.
    enum class State : std::uint8_t { running, parked, queued, handed_over, sending, receiving };

    class Resume final : public Task {
    public:
        explicit Resume(Flight& flight) noexcept : flight_(flight) {}
        void run() noexcept override { flight_.resume(); }
        void abandoned() noexcept override { flight_.leave_behind(); }

    private:
        Flight& flight_;
    };
    class Timer final : public Deadline {
    public:
        explicit Timer(Flight& flight) noexcept : flight_(flight) {}
        void expired() noexcept override { flight_.out_of_time(); }
        void abandoned() noexcept override { flight_.reactor_closed(); }

    private:
        Flight& flight_;
    };

    ~Flight() = default;
    // Tells another thread's news to the reactor's thread.
    void post() noexcept;
    void resume() noexcept;
    void out_of_time() noexcept;
    void reactor_closed() noexcept;
    // The reactor has gone while another thread was about to wake us: the later of the two deletes.
    void leave_behind() noexcept;

    // Sending over TLS: in place when it fits the socket's buffer in any case, else on a worker.
    bool launch_secure(Connection& connection) noexcept;
    bool sent_secure() noexcept;

    bool arm(Clock::time_point when) noexcept;
    // Each returns true when the flight can go on at once, false when it waits or is gone.
    bool wait_for_server() noexcept;
    bool check_out(Server& server) noexcept;
    bool launch(Connection& connection) noexcept;
    bool await_reply(Connection& connection, Want want) noexcept;
    bool follow(Step step, Failure& failure) noexcept;
    bool settle(Next next) noexcept;
    bool failed(Failure&& failure) noexcept;
    bool end_with(Failure&& failure) noexcept;
    void give_back(const ConnectionPool::Claim& claim) noexcept;
    void complete() noexcept;
    void drop() noexcept;

    const std::shared_ptr<Engine> engine_;
    const std::shared_ptr<Reactor> reactor_;
    Operation* operation_;
    Exchange exchange_;
    Resume resume_{*this};
    Timer timer_{*this};
    State state_ = State::running;
    Server* server_ = nullptr;            // whose queue we stand in
    ConnectionPool::Claim claim_;         // what grant() brought
    Failure dismissal_;                   // what dismissed() brought
    std::atomic<bool> left_behind_{false};
    // While handed over:
    friend class SecureSend;
    Step secure_step_ = Step::again;
    Failure secure_failure_;
    std::atomic<bool> give_up_{false};
    Signal handed_back_;
    Flight* next_local_ = nullptr;        // see local.run
};

}  // namespace barewire::net::mongo
