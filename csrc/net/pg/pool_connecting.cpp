// The jobs that fill a pool: places, connecting on workers, trying again while somebody waits. Nothing else may live here.
#include <algorithm>
#include <new>
#include <random>
#include <string_view>
#include <utility>

#include "net/pg/libpq.h"
#include "net/pg/pool.h"

namespace barewire::net::pg {

namespace {

constexpr auto first_pause = std::chrono::milliseconds(50);
constexpr auto longest_pause = std::chrono::seconds(2);

// Whether it makes sense to try again while callers wait: the server cannot be reached, or is starting or full. The server's
// refusals (a wrong password) and certificates are final; libpq shows them as text only.
bool passes(const Failure& failure) noexcept {
    if (failure.kind == Failure::Kind::network_timeout) return true;
    if (failure.kind != Failure::Kind::network) return false;
    const std::string_view text = failure.message;
    const auto has = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
    if (has("certificate") || has("does not support SSL")) return false;
    if (has("no password supplied") || has("invalid connection option") || has("missing \"=\"")) return false;
    if (!has("FATAL:")) return true;
    return has("starting up") || has("shutting down") || has("recovery") || has("too many") || has("remaining connection slots");
}

class Setup final : public Script {
public:
    explicit Setup(const char* script) noexcept { text = script; }
    Answer result(const Result&) noexcept override { return Answer::more; }

protected:
    void destroy() noexcept override {}   // on a stack
};

// One in twenty more or less, so that connections made together are not replaced together.
Clock::duration spread(Clock::duration age) {
    thread_local std::minstd_rand random(std::random_device{}());
    return age / 100 * std::uniform_int_distribution<int>(95, 105)(random);
}

}  // namespace

class PoolConnectJob final : public Job, public Interrupt, public SocketWait {
public:
    PoolConnectJob(std::shared_ptr<ConnectionPool> pool, PooledConnection& slot) noexcept
        : pool_(std::move(pool)), slot_(slot) {}

    void run(const std::atomic<bool>& stop) noexcept override {
        stop_ = &stop;
        Failure failure;
        for (auto pause = Clock::duration(first_pause);; pause = std::min<Clock::duration>(2 * pause, longest_pause)) {
            if (attempt(failure)) return;
            pool_->failed_.fetch_add(1, std::memory_order_relaxed);
            {
                std::lock_guard guard(pool_->mutex_);
                pool_->last_failure_ = failure;
            }
            if (!passes(failure)) break;
            const Clock::time_point until = Clock::now() + pause;
            while (pool_->waiting() != 0 && !interrupted() && Clock::now() < until)
                std::this_thread::sleep_for(std::chrono::milliseconds(10));
            if (pool_->waiting() == 0 || interrupted()) break;
        }
        pool_->not_connected(slot_, failure);
    }
    void abandoned() noexcept override {
        Failure failure;
        failure.kind = Failure::Kind::closed;
        failure.message = "the pool is closed";
        pool_->not_connected(slot_, failure);
    }
    bool interrupted() noexcept override { return stop_->load(std::memory_order_relaxed) || pool_->closed(); }
    Waited wait(int descriptor, Want want, Clock::time_point deadline) noexcept override {
        return wait_descriptor(descriptor, want, deadline, *this);
    }

private:
    bool attempt(Failure& failure) noexcept {
        pg_conn* made = net::pg::connect(*pool_->engine_, *pool_->options_, *this, failure);
        if (!made) return false;
        if (!slot_.adopt(pool_->engine_, made)) {
            failure.kind = Failure::Kind::out_of_memory;
            slot_.Connection::close();
            return false;
        }
        const PoolSettings& settings = pool_->settings_;
        slot_.statements().size_limit = settings.statement_limit;
        slot_.statements().on_server = settings.statements_on_server;
        if (!settings.setup.empty()) {
            Setup setup(settings.setup.c_str());
            slot_.run(setup, *this);
            if (setup.failure) {
                failure = std::move(setup.failure);
                slot_.Connection::close();
                return false;
            }
        }
        slot_.expires_ = settings.max_age > Clock::duration::zero() ? slot_.created + spread(settings.max_age)
                                                                    : Clock::time_point::max();
        pool_->connected(slot_);
        return true;
    }

    const std::shared_ptr<ConnectionPool> pool_;
    PooledConnection& slot_;
    const std::atomic<bool>* stop_ = nullptr;
};

// Counts a connection that is about to be made. False: all places are taken.
bool ConnectionPool::take_place() noexcept {
    std::uint32_t open = open_.load(std::memory_order_seq_cst);
    while (open < max_size_.load(std::memory_order_relaxed)) {
        if (open_.compare_exchange_weak(open, open + 1, std::memory_order_seq_cst, std::memory_order_seq_cst)) return true;
    }
    return false;
}

bool ConnectionPool::wanted() const noexcept {
    const std::uint32_t pending = pending_.count();
    return pending < std::max(settings_.max_connecting, 1u) && pending < slots_.waiting() && !slots_.closed();
}

// After every new waiter and after every place that became free. Who finds no place because another one holds it for a moment
// in vain is looked after by that other one: it gives the place back and looks again.
void ConnectionPool::replenish() noexcept {
    while (wanted() && take_place()) {
        PooledConnection* slot = pending_.begin_for_waiter(slots_, std::max(settings_.max_connecting, 1u));
        if (slot) connect(*slot);
        else give_place();
    }
}

void ConnectionPool::grow() noexcept {
    if (!slots_.closed() && take_place()) {
        PooledConnection* slot = pending_.begin_alone(slots_);
        if (slot) connect(*slot);
        else give_place();
    }
    replenish();
}

void ConnectionPool::connect(PooledConnection& slot) noexcept {
    slot.pool = this;
    slot.open_ = true;
    Failure failure;
    std::unique_ptr<Job> job(new (std::nothrow) PoolConnectJob(shared_from_this(), slot));
    if (!job) {
        failure.kind = Failure::Kind::out_of_memory;
        not_connected(slot, failure);
        return;
    }
    switch (engine_->workers().submit(job)) {
        case Submitted::accepted: return;
        case Submitted::stopped:
            failure.kind = Failure::Kind::closed;
            failure.message = "the engine is closed";
            break;
        case Submitted::no_threads:
            failure.kind = Failure::Kind::network;
            failure.message = "no thread to connect with";
            break;
    }
    not_connected(slot, failure);
}

void ConnectionPool::connected(PooledConnection& slot) noexcept {
    made_.fetch_add(1, std::memory_order_relaxed);
    {
        std::lock_guard guard(mutex_);
        last_failure_ = {};
    }
    slot.last_use = Clock::now();
    slots_.release(slot);
    // Only now: whoever came to wait before counted on this job, whoever comes after starts one.
    pending_.end();
    if (open_.load(std::memory_order_relaxed) < min_size_.load(std::memory_order_relaxed)) grow();
    else replenish();
}

void ConnectionPool::not_connected(PooledConnection& slot, const Failure& why) noexcept {
    slot.close();
    slots_.discard(slot);
    pending_.end();
    // Nobody waits for something that will not come; callers from now on try anew.
    dismiss(why);
}

}  // namespace barewire::net::pg
