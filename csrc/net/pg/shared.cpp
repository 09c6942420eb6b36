// Which connection a statement shares, and what happens when there is none. Nothing else may live here.
#include "net/pg/shared.h"

#include <algorithm>
#include <new>
#include <utility>

namespace barewire::net::pg {

namespace {

// Entries on the way on the least busy connection from which on a further one pays.
constexpr std::size_t enough_load = 48;
// A connection that has shown nothing for so long is busy with something slow: others had better not stand behind it.
constexpr auto stall = std::chrono::milliseconds(3);

Failure made(Failure::Kind kind, const char* message) {
    Failure failure;
    failure.kind = kind;
    failure.message = message;
    return failure;
}

}  // namespace

// A connection that is shared now.
class SharedConnections::Lane final : public ConnectionOwner {
public:
    Lane(SharedConnections& shared, PooledConnection& connection_) noexcept : connection(connection_), shared_(shared) {
        connection.owner = this;
    }
    void drained() noexcept override { shared_.remove(*this); }

    PooledConnection& connection;

private:
    SharedConnections& shared_;
};

// Asks the pool for a connection on behalf of all operations that wait.
class SharedConnections::Wanted final : public Acquiring {
public:
    explicit Wanted(SharedConnections& shared) noexcept : shared_(shared) {}
    bool asking = false;

private:
    void acquired(PooledConnection& connection) noexcept override {
        asking = false;
        shared_.got(connection);
    }
    void not_acquired(const Failure& why) noexcept override {
        asking = false;
        shared_.refused(why);
    }
    void dropped() noexcept override {
        asking = false;
        shared_.drop();
    }

    SharedConnections& shared_;
};

// One operation with a connection of its own; deletes itself.
class SharedConnections::Own final : public Acquiring, public ConnectionOwner {
public:
    Own(std::shared_ptr<SharedConnections> shared, Operation& operation_) noexcept
        : operation(&operation_), next(shared->first_own_), shared_(std::move(shared)) {
        shared_->first_own_ = this;
    }

    Operation* operation;   // nullptr once it has been handed over, or given up
    Own* next;

private:
    ~Own() = default;
    void acquired(PooledConnection& connection) noexcept override {
        unlist();
        if (!operation) {
            shared_->pool_->release(connection, *shared_->reactor_);
            delete this;
            return;
        }
        connection_ = &connection;
        connection.owner = this;
        shared_->hand_over(*std::exchange(operation, nullptr), connection);
    }
    void not_acquired(const Failure& why) noexcept override {
        unlist();
        if (operation) shared_->end(*operation, why);
        delete this;
    }
    void dropped() noexcept override {
        unlist();
        if (operation) shared_->end(*operation, made(Failure::Kind::closed, "event loop is closed"), false);
        delete this;
    }
    void drained() noexcept override {
        connection_->owner = nullptr;
        shared_->pool_->release(*connection_, *shared_->reactor_);
        delete this;
    }
    void unlist() noexcept {
        for (Own** link = &shared_->first_own_; *link; link = &(*link)->next) {
            if (*link != this) continue;
            *link = next;
            return;
        }
    }

    const std::shared_ptr<SharedConnections> shared_;
    PooledConnection* connection_ = nullptr;
};

SharedConnections::SharedConnections(std::shared_ptr<ConnectionPool> pool, Reactor& reactor, std::uint32_t limit,
                                     Clock::duration timeout)
    : pool_(std::move(pool)), reactor_(reactor.shared_from_this()), limit_(std::max(limit, 1u)), timeout_(timeout),
      wanted_(std::make_unique<Wanted>(*this)) {}

SharedConnections::~SharedConnections() = default;

void SharedConnections::submit(Operation& operation, bool shared) noexcept {
    if (shared) {
        if (Lane* lane = choose()) {
            lane->connection.submit(operation, *reactor_);
            return;
        }
        if (!take(operation)) return;
        waiting_.push_back(operation);
        want_connection();
        return;
    }
    if (!take(operation)) return;
    Own* own = new (std::nothrow) Own(shared_from_this(), operation);
    if (own) own->start(pool_, *reactor_, timeout_);
    else end(operation, made(Failure::Kind::out_of_memory, ""));
}

SharedConnections::Lane* SharedConnections::choose() noexcept {
    // Our own question does not count.
    const std::uint32_t waiting = pool_->waiting();
    const bool contested = waiting > (wanted_->asking ? 1u : 0u);
    std::size_t usable = lanes_.size();
    if (contested) usable = std::min<std::size_t>(usable, pool_->max_size() / 2);
    const Clock::time_point now = Clock::now();
    Lane* best = nullptr;
    bool best_stalled = true;
    std::size_t moving = 0;
    for (std::size_t i = 0; i < usable; ++i) {
        Lane& lane = *lanes_[i];
        if (!lane.connection.connected()) continue;
        const bool stalled = lane.connection.load() != 0 && now - lane.connection.progress > stall;
        moving += !stalled;
        if (!best || std::pair(stalled, lane.connection.load()) < std::pair(best_stalled, best->connection.load())) {
            best = &lane;
            best_stalled = stalled;
        }
    }
    if (best && !best_stalled && best->connection.load() < enough_load) return best;
    if (contested || moving >= limit_) return best;
    if (PooledConnection* connection = pool_->try_acquire()) return add(*connection);
    if (best) pool_->grow();   // for those that come later
    return best;
}

// nullptr: out of memory; the connection has gone back.
SharedConnections::Lane* SharedConnections::add(PooledConnection& connection) noexcept {
    try {
        lanes_.push_back(std::make_unique<Lane>(*this, connection));
    } catch (const std::bad_alloc&) {
        connection.owner = nullptr;
        pool_->release(connection, *reactor_);
        return nullptr;
    }
    alive_ = shared_from_this();
    return lanes_.back().get();
}

void SharedConnections::remove(Lane& lane) noexcept {
    const std::shared_ptr<SharedConnections> alive = shared_from_this();
    std::unique_ptr<Lane> own;
    for (auto each = lanes_.begin(); each != lanes_.end(); ++each) {
        if (each->get() != &lane) continue;
        own = std::move(*each);
        lanes_.erase(each);
        break;
    }
    lane.connection.owner = nullptr;
    pool_->release(lane.connection, *reactor_, false);
    rest();
}

void SharedConnections::want_connection() noexcept {
    if (wanted_->asking) return;
    wanted_->asking = true;
    alive_ = shared_from_this();
    wanted_->start(pool_, *reactor_, timeout_);
}

void SharedConnections::got(PooledConnection& connection) noexcept {
    const std::shared_ptr<SharedConnections> alive = shared_from_this();
    Lane* lane = add(connection);
    if (!lane) {
        refused(made(Failure::Kind::out_of_memory, ""));
        return;
    }
    // Those that come meanwhile choose for themselves.
    OperationQueue all = std::exchange(waiting_, OperationQueue());
    if (all.empty()) {
        // Everybody has given up.
        remove(*lane);
        return;
    }
    while (Operation* operation = all.first()) {
        all.remove(*operation);
        hand_over(*operation, lane->connection);
    }
}

void SharedConnections::refused(const Failure& why) noexcept {
    const std::shared_ptr<SharedConnections> alive = shared_from_this();
    OperationQueue all = std::exchange(waiting_, OperationQueue());
    while (Operation* operation = all.first()) {
        all.remove(*operation);
        end(*operation, why);
    }
    rest();
}

void SharedConnections::drop() noexcept {
    const std::shared_ptr<SharedConnections> alive = shared_from_this();
    while (Operation* operation = waiting_.first()) {
        waiting_.remove(*operation);
        end(*operation, made(Failure::Kind::closed, "event loop is closed"), false);
    }
    rest();
}

void SharedConnections::rest() noexcept {
    if (lanes_.empty() && !wanted_->asking) alive_.reset();
}

// --- operations without a connection -----------------------------------------------------------------------------------

// False: it has ended.
bool SharedConnections::take(Operation& operation) noexcept {
    operation.retain();
    operation.held_ = true;
    operation.holder_ = this;
    operation.finished = false;
    if (operation.timeout <= Clock::duration::zero() || reactor_->arm(operation.timer_, Clock::now() + operation.timeout))
        return true;
    end(operation, made(reactor_->closed() ? Failure::Kind::closed : Failure::Kind::out_of_memory, "event loop is closed"));
    return false;
}

void SharedConnections::hand_over(Operation& operation, Connection& connection) noexcept {
    operation.held_ = false;
    operation.holder_ = nullptr;
    connection.submit(operation, *reactor_);
    operation.release();
}

void SharedConnections::end(Operation& operation, const Failure& why, bool tell) noexcept {
    if (operation.timer_.armed()) reactor_->disarm(operation.timer_);
    operation.failure = why;
    operation.finished = true;
    operation.held_ = false;
    operation.holder_ = nullptr;
    if (tell) operation.completed();
    operation.release();
}

void SharedConnections::give_up(Operation& operation, Failure&& why) noexcept {
    if (operation.finished || !operation.held_) return;
    for (Own* own = first_own_; own; own = own->next) {
        if (own->operation != &operation) continue;
        own->operation = nullptr;
        const Failure reason = std::move(why);
        own->cancel();   // it deletes itself
        end(operation, reason);
        return;
    }
    waiting_.remove(operation);
    end(operation, why);
}

}  // namespace barewire::net::pg
