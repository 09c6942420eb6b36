// One connection to a PostgreSQL server: operations go in, their statements travel pipelined, results come back in order.
// Pools and the making of connections live elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "net/blocking.h"
#include "net/pg/cancellation.h"
#include "net/pg/engine.h"
#include "net/pg/expected.h"
#include "net/pg/observer.h"
#include "net/pg/operation.h"
#include "net/pg/statement_cache.h"
#include "net/reactor.h"
#include "net/step.h"

struct pg_conn;   // libpq's PGconn

namespace barewire::net::pg {

// How a blocking caller waits for the socket: with net::wait_descriptor(), without the interpreter's lock. Everything else
// that a Connection does is short, so run() is called with the lock held and all callbacks come with it.
class SocketWait {
public:
    virtual Waited wait(int descriptor, Want want, Clock::time_point deadline) noexcept = 0;

protected:
    ~SocketWait() = default;
};

enum class TransactionStatus : std::uint8_t {
    idle,         // none
    active,       // operations are under way, so nobody knows
    open,         // inside one
    failed,       // inside one that only a rollback can end
    unknown,      // no connection
};

// Told when a connection has nothing left to do, or has ended; a pool, usually.
class ConnectionOwner {
public:
    // Nothing is queued or under way any more. The last thing that submit(), ready() or give_up() does: the connection may be
    // given away, but not destroyed.
    virtual void drained() noexcept = 0;

protected:
    ~ConnectionOwner() = default;
};

// Driving. On an event loop: submit(operation, reactor), and Reactor::drain() does the rest; Operation::completed() is
// called. Blocking: run(operation, wait) returns when the operation has finished (or pauses). Operations are served in the
// order of submission, any number at a time: each gets a Sync of its own, so an error touches only its own operation. What
// is submitted within one turn of the loop is flushed once at its end (see Reactor::at_turn_end); outside of a turn a lone
// operation is sent at once. One loop, or one thread, at a time; nothing here is locked.
class Connection : public Steppable, public OperationHolder, private TurnEnd, private CancellationUser {
public:
    Connection() noexcept;
    ~Connection();

    // --- life ----------------------------------------------------------------------------------------------------------
    // Takes over a connection made by connect(). `owned` false: somebody else closes it (psycopg); then it is left out of
    // pipeline mode whenever nothing is under way, and notices go to that other's receiver. False: out of memory.
    [[nodiscard]] bool adopt(std::shared_ptr<Engine> engine, pg_conn* connection, bool owned = true) noexcept;
    // Ends everything: operations fail with kind `closed`. Afterwards it may adopt again.
    void close() noexcept;
    // In a fork's child: forgets the socket without a word to the server.
    void abandon_after_fork() noexcept;
    bool connected() const noexcept { return connection_ != nullptr && !broken_; }
    // Why it is not, after it was.
    const Failure& broken() const noexcept { return broken_; }

    // --- work ----------------------------------------------------------------------------------------------------------
    void submit(Operation& operation, Reactor& reactor) noexcept;
    // Until operation.finished, or until it pauses (then run() again to go on). An interrupt cancels the statement, takes
    // what the server still sends, and fails with kind `interrupted`.
    void run(Operation& operation, SocketWait& wait) noexcept;
    void give_up(Operation& operation, Failure&& why) noexcept final;
    // After Answer::pause or Next::wait, on an event loop.
    void resume(Operation& operation) noexcept;
    bool busy() const noexcept { return !waiting_.empty() || !expected_.empty() || exclusive_ != nullptr; }

    // The statement that begins a transaction ("BEGIN ISOLATION LEVEL SERIALIZABLE"), sent together with the next operation.
    void want_begin(std::string_view text) { begin_.assign(text); }
    bool begin_wanted() const noexcept { return !begin_.empty(); }
    // It was not sent: the transaction is over without the server having heard of it.
    void forget_begin() noexcept { begin_.clear(); }

    // Asks the server to cancel what runs, on a worker; any state, does not wait. Something else may be running by the time.
    void cancel() noexcept;
    // On an event loop: keeps reading although nothing is under way, so that notifications and the end are noticed at once.
    // False: the reactor is closed or out of memory.
    bool watch(Reactor& reactor) noexcept;
    void unwatch() noexcept;
    // Reads what the server has sent unasked, without waiting (a connection that nobody watches). False: it has ended.
    bool poll_input() noexcept;
    // Blocking: waits until something unasked has been given to the observer. False: timeout, interrupt or the end.
    Waited wait_input(SocketWait& wait, Clock::time_point deadline) noexcept;

    // --- facts ---------------------------------------------------------------------------------------------------------
    TransactionStatus transaction_status() const noexcept;
    StatementCache& statements() noexcept { return statements_; }
    Observer* observer = nullptr;
    ConnectionOwner* owner = nullptr;
    int server_version() const noexcept override;              // 150020
    int backend_process() const noexcept;
    const char* parameter_status(const char* name) const noexcept override;   // nullptr: not known
    // "host", "hostaddr", "port", "dbname", "user", "password", "options", "error_message", as libpq has them; "" when unknown.
    const char* info(std::string_view what) const noexcept;
    bool encrypted() const noexcept;
    int protocol_version() const noexcept;
    pg_conn* raw() const noexcept { return connection_; }
    Engine& engine() const noexcept { return *engine_; }

    // --- for a pool ----------------------------------------------------------------------------------------------------
    Clock::time_point created, last_use;
    int descriptor() const noexcept final { return descriptor_; }
    // How much is under way, and when the server last showed that it gets on with it.
    std::size_t load() const noexcept { return expected_.size() + (waiting_.empty() ? 0 : 1); }
    Clock::time_point progress;
    // Before use after a pause: false when the server has hung up.
    bool fit() noexcept;
    // Before another thread may get it: whatever the loop still keeps of it is taken back. Nothing may be under way.
    void part() noexcept;

private:
    friend class OperationTimer;
    enum class Stage : std::uint8_t { none, query, copy_in, copy_out };   // of the exclusive operation

    // connection.cpp: who drives it, and what the descriptor is watched for
    void enqueue(Operation& operation) noexcept;
    void drain(SocketWait& wait) noexcept;
    bool read_input() noexcept;
    bool flush() noexcept;
    void flush_later() noexcept;
    void settle() noexcept;
    void take_notifications() noexcept;
    void ready() noexcept final;
    void abandoned() noexcept final;
    void turn_ended() noexcept final;

    // sending.cpp: from operations to libpq
    void pump() noexcept;
    bool advance(Execution& execution) noexcept;
    bool begin_execution(Execution& execution) noexcept;
    bool describe(Execution& execution) noexcept;
    bool send_item(Execution& execution, const Item& item) noexcept;
    bool send_begin(Operation& operation, const std::string& text) noexcept;
    bool send_plain(Operation& operation, const char* text, Sent what) noexcept;
    bool send_prepare(Operation& operation, std::size_t number, Statement& statement, bool describe) noexcept;
    void skip_item(Execution& execution, std::size_t use) noexcept;
    bool send_sync(Operation* operation, std::size_t item, bool last) noexcept;
    bool send_forgets() noexcept;
    bool end_items(Execution& execution, bool keep) noexcept;
    void expect(const Expected& one) noexcept;
    bool enter_pipeline() noexcept;
    bool sent(int accepted) noexcept;

    // receiving.cpp: from libpq to operations
    void receive() noexcept;
    void pop_expected() noexcept;
    void command_ended() noexcept;
    void succeeded(pg_result* result) noexcept;
    void deliver(Execution& execution, pg_result* result) noexcept;
    void learn(Statement& statement, const pg_result* result) noexcept;
    void compare(Statement& statement, const Result& result) noexcept;
    void notice_tag(const pg_result* result) noexcept;
    void errored(pg_result* result) noexcept;
    void item_errored(Execution& execution, pg_result* result) noexcept;
    void give_error(Execution& execution, std::size_t item, Statement& statement, const Result& error) noexcept;
    void give_held(Execution& execution) noexcept;
    void not_prepared(const Expected& one) noexcept;
    void keep_use_error(Execution& execution, std::size_t use, pg_result* result) noexcept;
    void aborted() noexcept;
    void synced() noexcept;
    void refuse_copy(int status) noexcept;
    static void notice_received(void* self, const pg_result* result);

    // exclusive.cpp: scripts and COPY
    bool start_exclusive(Operation& operation) noexcept;
    void receive_exclusive() noexcept;
    bool exclusive_result(pg_result* result, int status) noexcept;
    bool take_copied() noexcept;
    void feed_copy() noexcept;
    void end_copy(const char* error) noexcept;
    void look_behind_copy() noexcept;
    void exclusive_ended() noexcept;
    bool server_protests() const noexcept;

    // ending.cpp: how operations and connections end
    void conclude(Execution& execution) noexcept;
    bool repeat(Execution& execution, std::size_t from) noexcept;
    bool roll_back(Execution& execution) noexcept;
    void fail(Operation& operation, Failure::Kind kind, const char* message) noexcept;
    void finish(Operation& operation) noexcept;
    void retire(Operation& operation) noexcept;
    void release_statements(Execution& execution) noexcept;
    void lost() noexcept;
    void lost(Failure&& why) noexcept;
    void end_all(const Failure& why, bool tell) noexcept;
    void cancel_soon() noexcept;
    void cancel_running() noexcept;
    bool cancelling() noexcept;
    void cancellation_done() noexcept final;
    void answer_overdue() noexcept;

    // The server has to answer within some time after a cancel request; armed also while an operation pauses, so that the end
    // of the reactor is noticed.
    class Watchdog final : public Deadline {
    public:
        explicit Watchdog(Connection& connection) noexcept : connection_(connection) {}
        void expired() noexcept override { connection_.answer_overdue(); }
        void abandoned() noexcept override { connection_.abandoned(); }

    private:
        Connection& connection_;
    };

    std::shared_ptr<Engine> engine_;
    const Libpq* libpq_ = nullptr;
    pg_conn* connection_ = nullptr;
    int descriptor_ = -1;
    bool owned_ = true;
    Failure broken_;

    // Driving. `reactor_`: the loop that drove it last, unless a blocking caller did.
    std::shared_ptr<Reactor> reactor_;
    void drive_by(Reactor& reactor) noexcept {
        if (reactor_.get() != &reactor) reactor_ = reactor.shared_from_this();
    }
    Want wanted_ = Want::done;       // done: not in flight
    bool watching_ = false;
    bool unflushed_ = false;         // libpq holds bytes that were not offered to the socket
    bool blocked_ = false;           // the socket did not take all
    bool more_to_send_ = false;      // stopped to let others have the loop, or the server catch up
    bool pumping_ = false;
    bool input_seen_ = false;        // something unasked has come
    bool told_ = true;               // the owner knows that there is nothing to do
    Watchdog watchdog_{*this};

    // Work.
    OperationQueue waiting_;         // not sent, or not completely
    ExpectedQueue expected_;
    Operation* exclusive_ = nullptr;
    Stage stage_ = Stage::none;
    const std::uint8_t* block_ = nullptr;   // what is left of the block that is copied in
    std::size_t block_left_ = 0;
    bool copy_ended_ = false;        // what libpq has read meanwhile was not looked at yet
    Operation* paused_ = nullptr;
    Operation* barrier_ = nullptr;   // nothing may be sent behind it before it has ended
    std::string begin_;
    Parameters parameters_;
    StatementCache statements_;
    Statement plain_;                // stands for statements that are not remembered
    std::deque<std::string> forgetting_;   // names in the order in which Sent::forget stands in expected_
    std::shared_ptr<Cancellation> cancellation_;
    Clock::time_point answer_until_ = Clock::time_point::max();   // blocking driver: as the watchdog

    // State of libpq.
    bool pipelined_ = false;
    bool chunk_set_ = false;         // for the first of expected_
    std::uint32_t front_rows_ = 0;
    OwnedResult tagged_part_;        // the last part of rows, when the command's tag is on it
    bool maybe_open_ = false;        // a transaction may be open
    bool failed_transaction_ = false;
    Clock::time_point stray_until_;  // until then a cancel request may hit an operation it was not meant for
    bool may_be_stray() const noexcept { return Clock::now() < stray_until_; }
};

}  // namespace barewire::net::pg
