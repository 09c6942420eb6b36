// One piece of work for a connection and its outcome, as the layer above fills it in and reads it; no Python, no libpq.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "net/deadlines.h"
#include "net/failure.h"
#include "net/pg/parameters.h"
#include "net/pg/result.h"
#include "net/pg/statement.h"

namespace barewire::net::pg {

using Clock = std::chrono::steady_clock;

class Operation;

// Who has an operation: its connection, or a pool as long as it has no connection for it.
class OperationHolder {
public:
    // The caller does not want it any more: it ends now, with `why`; completed() is called from inside. Its statement is
    // cancelled on the server if it runs there. Nothing happens when it has finished.
    virtual void give_up(Operation& operation, Failure&& why) noexcept = 0;
    // Of the server behind a connection; nullptr and 0 when there is none (yet).
    virtual const char* parameter_status(const char*) const noexcept { return nullptr; }
    virtual int server_version() const noexcept { return 0; }

protected:
    ~OperationHolder() = default;
};

// The timeout of an operation on an event loop.
class OperationTimer final : public Deadline {
public:
    explicit OperationTimer(Operation& operation) noexcept : operation_(operation) {}
    void expired() noexcept override;
    void abandoned() noexcept override {}   // the holder is told

private:
    Operation& operation_;
};

// Says the layer above to a part of the result.
enum class Answer : std::uint8_t {
    more,
    pause,    // no further part until Connection::resume(); the blocking driver returns from run() meanwhile
    stop,     // wants no more (an error of its own, say): the rest is thrown away, `failure` gets kind `refused`
};

// Says the layer above when it is asked for the next thing to send.
enum class Next : std::uint8_t {
    item,     // there it is
    end,      // there is nothing more
    wait,     // not yet; Connection::resume() asks again
    refuse,   // an error of its own: nothing of this item is sent, `failure` gets kind `refused`
    // Without `separate`: a value does not fit what its statement takes, which is remembered from before (StatementUse::doubted).
    // If nothing is kept of what has been sent, the statements are described again and rewind(0) called; else as `refuse`.
    anew,
};

// Filled by the caller, driven by a Connection, read by the caller again. Not thread-safe: it belongs to the thread that
// uses the connection. Every virtual function is called on that thread, from inside submit(), run(), resume() or
// Reactor::drain(), so with the interpreter's lock held if the caller holds it; it must not call the connection except
// where it says so.
// Reference counted, because a Python future may die before the result comes. The connection drops its reference after
// completed(). One that has finished may be used again, once the caller has cleared `failure` and `error`.
class Operation {
public:
    enum class Kind : std::uint8_t { execution, script, copy_in, copy_out };

    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    const Kind kind;

    // --- the request -----------------------------------------------------------------------------------------------
    // From submission to the end; zero: no limit. When it is over the caller is told at once (kind `network_timeout`), the
    // statement is cancelled on the server, and the connection stays usable: what comes next waits for the cancellation.
    Clock::duration timeout = Clock::duration::zero();

    // --- the outcome -----------------------------------------------------------------------------------------------
    bool finished = false;
    Failure failure;              // kind `server`: `error` says what; `refused`: the layer above knows
    OwnedResult error;            // the server's error
    std::size_t failed_item = 0;  // which item of a batch or a stream the error belongs to
    bool sent = false;            // something of it may have reached the server

    // Called once, with finished == true, on an event loop only (possibly inside submit()); it may submit again. Blocking
    // callers: never.
    virtual void completed() noexcept {}

    // On the reactor's thread: whoever has it gives it up.
    void give_up(Failure&& why) noexcept {
        if (holder_) holder_->give_up(*this, std::move(why));
    }

    // Of the connection that has it, inside its callbacks.
    const char* parameter_status(const char* name) const noexcept {
        return holder_ ? holder_->parameter_status(name) : nullptr;
    }
    int server_version() const noexcept { return holder_ ? holder_->server_version() : 0; }

    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
    }

protected:
    explicit Operation(Kind kind_) noexcept : kind(kind_) {}
    virtual ~Operation() = default;
    virtual void destroy() noexcept { delete this; }

private:
    friend class Connection;
    friend class OperationQueue;
    friend class SharedConnections;
    std::atomic<std::uint32_t> references_{1};
    bool queued_ = false;         // in the connection's queue of what is to be sent
    bool blocking_ = false;       // driven by run()
    bool held_ = false;           // the connection has a reference
    bool awaiting_ = false;       // said Next::wait
    bool cancel_sent_ = false;    // the server was asked to cancel it
    bool discarding_ = false;     // what still comes is thrown away
    Operation *next_ = nullptr, *previous_ = nullptr;
    std::uint32_t expected_ = 0;  // entries of the connection's queue of answers
    Clock::time_point deadline_ = Clock::time_point::max();
    OperationHolder* holder_ = nullptr;
    OperationTimer timer_{*this};
};

// A statement that an execution uses.
struct StatementUse {
    StatementKey key;
    // `once`: not worth remembering, and its parameters' types are all given (or it has none): sent with its text in one
    // flush, without asking for a description. For SET, FETCH, BEGIN and the like; `statement` then knows nothing.
    bool once = false;
    Statement* statement = nullptr;   // set by the connection before the first next(), valid until the operation ends
    bool fresh = false;               // it was described for this operation
    // Of the layer above: the parameters' types that a value does not fit, and that may be out of date. Unless it is described
    // again for this operation it is for the next one.
    std::vector<std::uint32_t> doubted;
};

// What next() fills.
struct Item {
    Parameters& parameters;      // empty: append one value per parameter
    std::uint32_t use = 0;       // which statement
    bool binary_results = true;  // format of all columns
    bool last = false;           // true saves the call that would return Next::end
    // Rows per part (always one before libpq 17); 0: the connection decides (parts once a statement has shown to return many
    // rows, from libpq 17 on); -1: whole.
    int chunk_rows = 0;
};

// Statements with parameters, prepared when first used: one; several in one flush (a batch); one with many rows of
// parameters (executemany). The items are asked for one after the other, while there is room on the way to the server:
// that is the back-pressure.
class Execution : public Operation {
public:
    explicit Execution() noexcept : Operation(Kind::execution) {}

    // Each statement once, whatever the number of items; the array is the caller's and lives as long as the operation.
    StatementUse* uses = nullptr;
    std::size_t use_count = 0;
    // Whether each item has a Sync of its own: an error then touches only this item, and result() gets it with kind
    // `error`. Else all items together are one (implicit) transaction, the first error ends the operation, and the items
    // after `failed_item` were not run.
    bool separate = false;
    // The statement that could not be prepared, if that ended the operation: nothing was run then, and `failed_item` says nothing.
    static constexpr std::size_t none = static_cast<std::size_t>(-1);
    std::size_t failed_use = none;
    // With `separate` only: why a statement could not be prepared, or nullptr. Its items are not sent: when next() names it,
    // result() gets that error at once (parameters need not be written).
    const OwnedResult* use_error(std::size_t use) const noexcept {
        return use < use_errors_.size() && use_errors_[use] ? &use_errors_[use] : nullptr;
    }
    // Not empty: this is sent before the first item, COMMIT after the last, all in one flush; after an error, ROLLBACK
    // follows by itself. Not inside a transaction.
    std::string begin;
    // After an error that comes before anything is done (a plan that has become stale, a statement that the server has
    // forgotten) outside a transaction it may be sent again, once: next() then starts anew with the item of this number, and
    // what was given to result() of it and of later ones is void. Asked only when the server has undone, or has not begun,
    // all of these: without `separate` always for item 0, and not after a command that may end a transaction; with `separate`
    // not when an item behind it was run. False: it stays with the error.
    virtual bool rewind(std::size_t) noexcept { return false; }

    // All statements are described (`uses[i].statement`): the next item.
    virtual Next next(Item& item) noexcept = 0;
    // A result or a part of one of an item, in order. With `separate` an error may follow a result: of a constraint that is
    // checked when the item is committed. `statement.plan` may be another one at each call.
    virtual Answer result(std::size_t item, const Statement& statement, const Result& result) noexcept = 0;

private:
    friend class Connection;
    enum class Phase : std::uint8_t { start, describing, running, ended };
    Phase phase_ = Phase::start;
    std::size_t items_ = 0;        // sent so far
    bool kept_ = false;            // a command may have ended a transaction: what was done before it stays
    bool failed_ = false;
    bool repeatable_ = false;      // failed in a way that a second attempt mends
    bool repeated_ = false;
    // It was hit by a cancel request that may have been meant for another operation: that does not use up its second attempt.
    bool hit_ = false;
    std::uint8_t hits_ = 0;
    static constexpr std::uint8_t most_hits = 16;
    bool may_repeat() const noexcept { return hit_ ? hits_ < most_hits : !repeated_; }
    bool refused_ = false;         // said Next::anew after something was sent
    bool begun_ = false;
    std::uint8_t rollbacks_ = 0;   // how often ROLLBACK was sent
    bool pinned_ = false;          // holds its statements
    std::vector<OwnedResult> use_errors_;
    // With `separate`: the last items that were answered, if all of them failed in such a way. Nothing behind them was run.
    struct Held {
        std::size_t item;
        OwnedResult error;
    };
    std::vector<Held> held_;
    void start_anew() noexcept {
        phase_ = Phase::start;
        failed_use = none;
        use_errors_.clear();
        held_.clear();
        items_ = 0;
        kept_ = failed_ = repeatable_ = repeated_ = hit_ = refused_ = begun_ = false;
        rollbacks_ = hits_ = 0;
        for (std::size_t i = 0; i < use_count; ++i) uses[i].fresh = false;
    }
};

// Text sent as it is (simple protocol): any number of statements, no parameters, results in text format. Alone on its
// connection.
class Script : public Operation {
public:
    Script() noexcept : Operation(Kind::script) {}
    const char* text = nullptr;   // ended by NUL; the caller's
    // Results in order; an error ends the operation and is not given here.
    virtual Answer result(const Result& result) noexcept = 0;
};

// COPY ... FROM STDIN. Alone on its connection.
class CopyIn : public Operation {
public:
    CopyIn() noexcept : Operation(Kind::copy_in) {}
    const char* text = nullptr;
    std::string tag;              // "COPY 17" at the end
    std::int64_t rows = -1;
    // The next bytes (they may end anywhere), valid until the next call; 64 to 256 KiB are a good size. Asked only when the
    // block before is on its way. Next::refuse makes the server throw everything away.
    virtual Next block(const std::uint8_t*& data, std::size_t& size) noexcept = 0;
    // Before the first block: how many columns, and whether the server expects the binary format.
    virtual void started(int, bool) noexcept {}
};

// COPY ... TO STDOUT. Alone on its connection.
class CopyOut : public Operation {
public:
    CopyOut() noexcept : Operation(Kind::copy_out) {}
    const char* text = nullptr;
    std::string tag;
    std::int64_t rows = -1;
    // One message of the server: a line or a row, in binary format a tuple (the first one with the header before it).
    virtual Answer data(const std::uint8_t* bytes, std::size_t size) noexcept = 0;
    virtual void started(int, bool) noexcept {}
};

}  // namespace barewire::net::pg
