// What happens to a connection on its way back: it is drained, rolled back and reset. Nothing else may live here.
#include <new>
#include <utility>

#include "net/pg/pool.h"

namespace barewire::net::pg {

namespace {

class Plain final : public Script {
public:
    Plain(const char* script, Clock::duration limit) noexcept {
        text = script;
        timeout = limit;
    }
    Answer result(const Result&) noexcept override { return Answer::more; }

protected:
    void destroy() noexcept override {}
};

enum class Stage : std::uint8_t { leftovers, transaction, settings, done };

// What has to be sent next, nullptr: nothing.
const char* next_script(const Connection& connection, const std::string& reset, Stage& stage) noexcept {
    if (stage == Stage::leftovers) {
        stage = Stage::transaction;
        // Of an operation that was given up: an empty script comes back when the server is done with it.
        if (connection.busy()) return "";
    }
    if (stage == Stage::transaction) {
        stage = Stage::settings;
        const TransactionStatus status = connection.transaction_status();
        if (status == TransactionStatus::open || status == TransactionStatus::failed) return "ROLLBACK";
    }
    if (stage == Stage::settings) {
        stage = Stage::done;
        if (!reset.empty()) return reset.c_str();
    }
    return nullptr;
}

bool clean(const Connection& connection) noexcept {
    return !connection.busy() && connection.transaction_status() == TransactionStatus::idle;
}

}  // namespace

// On an event loop; deletes itself when the connection is back in the pool.
class PoolReset final : public Script, public ConnectionOwner {
public:
    PoolReset(std::shared_ptr<ConnectionPool> pool, PooledConnection& connection, Reactor& reactor) noexcept
        : pool_(std::move(pool)), connection_(connection), reactor_(reactor) {
        timeout = pool_->settings_.reset_timeout;
    }

    // False: nothing is to be sent.
    bool go() noexcept {
        text = next_script(connection_, pool_->settings_.reset, stage_);
        if (!text) return false;
        failure = {};
        error.reset();
        connection_.owner = this;
        connection_.submit(*this, reactor_);
        return true;
    }
    Answer result(const Result&) noexcept override { return Answer::more; }

    void drained() noexcept override {
        const std::shared_ptr<ConnectionPool> pool = pool_;
        connection_.owner = nullptr;
        if (!failure && connection_.connected() && go()) return;
        PooledConnection& connection = connection_;
        if (failure || !clean(connection)) connection.doomed = true;
        release();
        pool->put_back(connection);
    }

private:
    const std::shared_ptr<ConnectionPool> pool_;
    PooledConnection& connection_;
    Reactor& reactor_;
    Stage stage_ = Stage::leftovers;
};

void ConnectionPool::release(PooledConnection& connection, Reactor& reactor, bool soiled) noexcept {
    connection.observer = nullptr;
    connection.owner = nullptr;
    connection.forget_begin();
    connection.unwatch();
    if (!keeps(connection) || reactor.closed()) {
        put_back(connection);
        return;
    }
    if (clean(connection) && (!soiled || settings_.reset.empty())) {
        put_back(connection);
        return;
    }
    auto* reset = new (std::nothrow) PoolReset(shared_from_this(), connection, reactor);
    if (reset && reset->go()) return;
    if (reset) reset->release();
    if (!clean(connection)) connection.doomed = true;
    put_back(connection);
}

void ConnectionPool::release(PooledConnection& connection, SocketWait& wait) noexcept {
    connection.observer = nullptr;
    connection.owner = nullptr;
    connection.forget_begin();
    Stage stage = Stage::leftovers;
    while (keeps(connection)) {
        const char* text = next_script(connection, settings_.reset, stage);
        if (!text) break;
        Plain script(text, settings_.reset_timeout);
        connection.run(script, wait);
        if (script.failure) connection.doomed = true;
    }
    if (!clean(connection)) connection.doomed = true;
    put_back(connection);
}

}  // namespace barewire::net::pg
