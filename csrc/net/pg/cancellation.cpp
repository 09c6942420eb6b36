// The job that sends a cancel request: with the connection's own encryption where libpq can. Nothing else may live here.
#include "net/pg/cancellation.h"

#include <new>
#include <utility>

#include "net/blocking.h"
#include "net/pg/libpq.h"
#include "net/pg/operation.h"

namespace barewire::net::pg {

namespace {

constexpr auto longest_request = std::chrono::seconds(10);

}  // namespace

class CancelJob final : public Job, public Interrupt {
public:
    CancelJob(std::shared_ptr<Cancellation> cancellation, pg_cancel_conn* request, PGcancel* old_request) noexcept
        : cancellation_(std::move(cancellation)), libpq_(cancellation_->engine_->libpq()), request_(request),
          old_request_(old_request) {}
    ~CancelJob() override {
        if (request_) libpq_.PQcancelFinish_(request_);
        if (old_request_) libpq_.PQfreeCancel_(old_request_);
    }

    void run(const std::atomic<bool>& stop) noexcept override {
        stop_ = &stop;
        if (request_) {
            follow();
        } else {
            char text[256];
            libpq_.PQcancel_(old_request_, text, sizeof text);
        }
        cancellation_->finish();
    }
    void abandoned() noexcept override { cancellation_->finish(); }
    bool interrupted() noexcept override { return stop_->load(std::memory_order_relaxed); }

private:
    void follow() noexcept {
        if (!libpq_.PQcancelStart_(request_)) return;
        const Clock::time_point deadline = Clock::now() + longest_request;
        PostgresPollingStatusType state = PGRES_POLLING_WRITING;
        while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
            const Want want = state == PGRES_POLLING_READING ? Want::read : Want::write;
            if (wait_descriptor(libpq_.PQcancelSocket_(request_), want, deadline, *this) != Waited::ready) return;
            state = libpq_.PQcancelPoll_(request_);
        }
    }

    const std::shared_ptr<Cancellation> cancellation_;
    const Libpq& libpq_;
    pg_cancel_conn* const request_;
    PGcancel* const old_request_;
    const std::atomic<bool>* stop_ = nullptr;
};

std::shared_ptr<Cancellation> Cancellation::start(std::shared_ptr<Engine> engine, pg_conn* connection, CancellationUser& user,
                                                  Reactor* reactor) noexcept {
    const Libpq& libpq = engine->libpq();
    pg_cancel_conn* request = libpq.PQcancelCreate_ ? libpq.PQcancelCreate_(connection) : nullptr;
    PGcancel* old_request = request ? nullptr : libpq.PQgetCancel_(connection);
    if (!request && !old_request) return nullptr;
    try {
        auto cancellation = std::make_shared<Cancellation>(engine);
        if (reactor) cancellation->reactor_ = reactor->shared_from_this();
        cancellation->user_ = &user;
        std::unique_ptr<Job> job = std::make_unique<CancelJob>(cancellation, request, old_request);
        request = nullptr;
        old_request = nullptr;
        return engine->workers().submit(job) == Submitted::accepted ? cancellation : nullptr;
    } catch (const std::bad_alloc&) {
        if (request) libpq.PQcancelFinish_(request);
        if (old_request) libpq.PQfreeCancel_(old_request);
        return nullptr;
    }
}

void Cancellation::finish() noexcept {
    done_.store(true, std::memory_order_release);
    if (!reactor_) return;
    self_ = shared_from_this();
    if (!reactor_->post(*this)) self_.reset();
}

void Cancellation::run() noexcept {
    const std::shared_ptr<Cancellation> alive = std::move(self_);
    if (user_) user_->cancellation_done();
}

void Cancellation::abandoned() noexcept { const std::shared_ptr<Cancellation> alive = std::move(self_); }

}  // namespace barewire::net::pg
