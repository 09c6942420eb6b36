// From operations to libpq's queue: what is sent, in which order, and when that has to wait. Answers live in receiving.
#include <new>
#include <utility>

#include "net/pg/connection.h"
#include "net/pg/libpq.h"
#include "net/readiness.h"

namespace barewire::net::pg {

namespace {

// Bytes of items after which the socket is asked whether it takes more, and after which others have the loop. libpq sends by
// itself what it has gathered; with a full socket it would try again for each item. A socket that can be written has room for
// the first.
constexpr std::size_t burst_size = 32 * 1024;
constexpr std::size_t turn_size = 512 * 1024;
// What one execution costs besides its parameters' bytes.
constexpr std::size_t item_overhead = 64;
// Results of at least so many rows are taken in parts next time, of so many rows.
constexpr std::uint32_t many_rows = 512;
constexpr int part_rows = 512;

}  // namespace

void Connection::pump() noexcept {
    if (pumping_ || !connected()) return;
    pumping_ = true;
    while (Operation* first = waiting_.first()) {
        if (exclusive_ || barrier_ || blocked_ || !connected() || cancelling()) break;
        bool on;
        if (first->kind == Operation::Kind::execution) on = advance(static_cast<Execution&>(*first));
        else on = start_exclusive(*first);
        if (!on) break;
    }
    pumping_ = false;
}

// True: the operation has left the queue. False: it has to wait for something.
bool Connection::advance(Execution& execution) noexcept {
    if (execution.phase_ == Execution::Phase::start && !begin_execution(execution)) return !execution.queued_;
    if (execution.phase_ == Execution::Phase::describing || execution.awaiting_) return false;
    if (execution.failed_) return end_items(execution, false);
    if (!execution.held_.empty()) {
        // Before those that follow it may be their turn again.
        if (execution.expected_ != 0) return false;
        if (repeat(execution, execution.held_.front().item)) return advance(execution);
        give_held(execution);
        if (execution.discarding_) return end_items(execution, false);
    }
    std::size_t pending = 0;
    for (std::size_t turn = 0;;) {
        parameters_.clear();
        Item item{parameters_};
        switch (execution.next(item)) {
            case Next::item: break;
            case Next::end: return end_items(execution, true);
            case Next::wait:
                execution.awaiting_ = true;
                return false;
            case Next::refuse:
                execution.failure.kind = Failure::Kind::refused;
                execution.failed_item = execution.items_;
                execution.discarding_ = !execution.separate;
                return end_items(execution, false);
            case Next::anew:
                execution.failed_item = execution.items_;
                execution.refused_ = execution.failed_ = execution.repeatable_ = true;
                if (execution.items_ == 0 && repeat(execution, 0)) return advance(execution);
                execution.discarding_ = true;
                return end_items(execution, false);
        }
        if (execution.use_error(item.use)) skip_item(execution, item.use);
        else if (!send_item(execution, item)) return !execution.queued_;
        if (item.last || execution.discarding_) return end_items(execution, !execution.discarding_);
        const std::size_t size = parameters_.bytes.size() + item_overhead;
        if ((pending += size) < burst_size) continue;
        turn += pending;
        pending = 0;
        if (!can_write(descriptor_) || (reactor_ && turn >= turn_size)) {
            more_to_send_ = true;
            return false;
        }
        // Nobody but us reads meanwhile on a blocking caller's connection: errors are seen before all has been sent.
        if (!reactor_ && !read_input()) return true;
        if (execution.failed_) return end_items(execution, false);
        if (!execution.queued_) return true;
        if (!execution.held_.empty()) return advance(execution);
    }
}

// Finds its statements; asks the server to describe those that are new. False: it waits, or has ended.
bool Connection::begin_execution(Execution& execution) noexcept {
    bool undescribed = false, unknown = false;
    bool memory = true;
    for (std::size_t i = 0; i < execution.use_count; ++i) {
        StatementUse& use = execution.uses[i];
        use.statement = use.once ? &plain_ : statements_.acquire(use.key);
        if (!use.statement) memory = false;
        else if (!use.once && !use.statement->described) {
            undescribed = true;
            // The operation that asked for that was given up, and the answer is still to come: whether the name is good.
            if (!use.statement->name.empty() && !expected_.empty()) unknown = true;
        }
    }
    execution.pinned_ = true;
    if (!memory) {
        waiting_.remove(execution);
        execution.queued_ = false;
        fail(execution, Failure::Kind::out_of_memory, "");
        finish(execution);
        return false;
    }
    if (unknown) {
        release_statements(execution);
        return false;
    }
    if (!enter_pipeline() || !send_forgets()) return false;
    if (!undescribed) {
        execution.phase_ = Execution::Phase::running;
        return true;
    }
    return describe(execution) && false;
}

bool Connection::describe(Execution& execution) noexcept {
    // BEGIN goes before: whatever goes wrong from here on goes wrong inside the transaction, as the caller sees it.
    if (!begin_.empty() && !send_begin(execution, begin_)) return false;
    for (std::size_t i = 0; i < execution.use_count; ++i) {
        const StatementUse& use = execution.uses[i];
        if (use.once || use.statement->described) continue;
        execution.uses[i].fresh = true;
        bool before = false;
        for (std::size_t j = 0; j < i; ++j) before = before || execution.uses[j].statement == use.statement;
        if (before) continue;
        if (!send_prepare(execution, i, *use.statement, true)) return false;
        // Items on their own: so are their statements.
        if (execution.separate && !send_sync(&execution, i, false)) return false;
    }
    execution.phase_ = Execution::Phase::describing;
    if (!execution.separate) return send_sync(&execution, 0, true);
    expected_.back().last = true;
    return true;
}

// Its statement could not be prepared.
void Connection::skip_item(Execution& execution, std::size_t use) noexcept {
    const std::size_t item = execution.items_++;
    if (!execution.discarding_) give_error(execution, item, plain_, execution.use_errors_[use].view());
}

// `number`: of the statement when it is described, else of the item that it is for.
bool Connection::send_prepare(Operation& operation, std::size_t number, Statement& statement, bool describe) noexcept {
    // Named before it is described: it was prepared, but there was no memory for its description.
    const bool named = !statement.name.empty();
    if ((!named && !statements_.name(statement)) || !expected_.reserve(2)) {
        lost();   // no memory for a few bytes
        return false;
    }
    // Without a description the parameters are written as the last one said: the same types again, so that it stays right.
    const std::vector<std::uint32_t>& types = describe ? statement.fixed_types : statement.parameter_types;
    Expected one;
    one.operation = &operation;
    one.statement = &statement;
    one.item = number;
    one.version = statement.version;
    if (!named) {
        if (!sent(libpq_->PQsendPrepare_(connection_, statement.name.c_str(), statement.text.c_str(),
                                         static_cast<int>(types.size()), types.data())))
            return false;
        one.what = Sent::prepare;
        expect(one);
    }
    if (!describe) {
        statement.unsure = true;
        return true;
    }
    if (!sent(libpq_->PQsendDescribePrepared_(connection_, statement.name.c_str()))) return false;
    one.what = Sent::describe;
    expect(one);
    return true;
}

bool Connection::send_item(Execution& execution, const Item& item) noexcept {
    if (!parameters_.arrange() || !expected_.reserve(8)) {
        execution.failure.kind = Failure::Kind::out_of_memory;
        execution.discarding_ = !execution.separate;
        end_items(execution, false);
        return false;
    }
    if (execution.items_ == 0) {
        if (!begin_.empty() && !send_begin(execution, begin_)) return false;
        if (!execution.begin.empty()) {
            if (!send_begin(execution, execution.begin)) return false;
            execution.begun_ = true;
            // If it fails, a ROLLBACK has to come before anything else.
            barrier_ = &execution;
        }
    }
    StatementUse& use = execution.uses[item.use];
    Statement& statement = *use.statement;
    const int count = static_cast<int>(parameters_.count());
    const int format = item.binary_results ? 1 : 0;
    if (!use.once && statement.name.empty() && statements_.keeps(statement) &&
        !send_prepare(execution, execution.items_, statement, false))
        return false;
    bool good;
    if (!statement.name.empty()) {
        good = sent(libpq_->PQsendQueryPrepared_(connection_, statement.name.c_str(), count, parameters_.values(),
                                                 parameters_.lengths(), parameters_.formats(), format));
    } else {
        // With its text; what is known of the parameters' types is said.
        const std::uint32_t* types = nullptr;
        const char* text = use.key.text;
        if (use.once) {
            if (use.key.type_count == parameters_.count()) types = use.key.types;
        } else {
            text = statement.text.c_str();
            if (statement.parameter_types.size() == parameters_.count()) types = statement.parameter_types.data();
            statement.unsure = true;
        }
        good = sent(libpq_->PQsendQueryParams_(connection_, text, count, types, parameters_.values(), parameters_.lengths(),
                                               parameters_.formats(), format));
    }
    if (!good) return false;
    int part = item.chunk_rows > 0 ? item.chunk_rows : 0;
    if (item.chunk_rows == 0 && libpq_->PQsetChunkedRowsMode_ &&
        (statement.last_rows >= many_rows || (!use.once && !statement.executed && !statement.columns.empty())))
        part = part_rows;
    statement.executed = true;
    // A run of items of one statement is one entry.
    Expected* back = expected_.empty() ? nullptr : &expected_.back();
    if (back && back->what == Sent::item && back->operation == &execution && back->statement == &statement &&
        back->chunk_rows == part && back->version == statement.version) {
        ++back->count;
    } else {
        Expected one;
        one.operation = &execution;
        one.statement = &statement;
        one.item = execution.items_;
        one.what = Sent::item;
        one.chunk_rows = part;
        one.version = statement.version;
        expect(one);
    }
    const std::size_t number = execution.items_++;
    return !execution.separate || send_sync(&execution, number, false);
}

// All items are sent that will be. `keep`: what they do is to stay.
bool Connection::end_items(Execution& execution, bool keep) noexcept {
    execution.phase_ = Execution::Phase::ended;
    parameters_.trim();
    const bool nothing = execution.items_ == 0 || (execution.separate && execution.expected_ == 0);
    bool good = true;
    if (!nothing && !execution.separate) {
        if (!keep && (!execution.failed_ || execution.refused_) && !maybe_open_) {
            // They would be committed by the Sync otherwise; inside the caller's own transaction that is for him to undo.
            good = sent(libpq_->PQsendQueryPrepared_(connection_, "barewire_no_such_statement", 0, nullptr, nullptr, nullptr, 0));
            if (good) {
                Expected one;
                one.operation = &execution;
                one.what = Sent::poison;
                good = expected_.reserve(4);
                if (good) expect(one);
            }
        } else if (keep && execution.begun_ && !execution.failed_) {
            good = send_plain(execution, "COMMIT", Sent::commit);
        }
        good = good && send_sync(&execution, execution.items_ - 1, true);
    }
    if (!good) return true;   // the connection is lost, and so everything has ended
    waiting_.remove(execution);
    execution.queued_ = false;
    if (nothing) {
        if (execution.refused_) fail(execution, Failure::Kind::refused, "");
        finish(execution);
        return true;
    }
    if (execution.separate) {
        // The last item's Sync is the end.
        for (std::size_t i = expected_.size(); i-- > 0;) {
            Expected& one = expected_.at(i);
            if (one.operation != &execution) continue;
            one.last = true;
            break;
        }
    }
    return true;
}

bool Connection::send_begin(Operation& operation, const std::string& text) noexcept {
    if (!send_plain(operation, text.c_str(), Sent::begin)) return false;
    maybe_open_ = true;
    if (&text == &begin_) begin_.clear();
    return true;
}

// A statement without parameters and rows.
bool Connection::send_plain(Operation& operation, const char* text, Sent what) noexcept {
    if (!expected_.reserve(4)) {
        lost();
        return false;
    }
    if (!sent(libpq_->PQsendQueryParams_(connection_, text, 0, nullptr, nullptr, nullptr, nullptr, 1))) return false;
    Expected one;
    one.operation = &operation;
    one.what = what;
    expect(one);
    return true;
}

bool Connection::send_sync(Operation* operation, std::size_t item, bool last) noexcept {
    if (!expected_.reserve(1)) {
        lost();
        return false;
    }
    if (!sent(libpq_->PQsendPipelineSync_ ? libpq_->PQsendPipelineSync_(connection_) : libpq_->PQpipelineSync_(connection_)))
        return false;
    Expected one;
    one.operation = operation;
    one.item = item;
    one.what = Sent::sync;
    one.last = last;
    expect(one);
    return true;
}

// Evicted statements leave the server in a part of their own, so that a failure harms nobody.
bool Connection::send_forgets() noexcept {
    if (statements_.to_close.empty()) return true;
    const bool close = libpq_->PQsendClosePrepared_ != nullptr;
    // DEALLOCATE is refused in a failed transaction, Close is not.
    if (!close && failed_transaction_) return true;
    if (!expected_.reserve(statements_.to_close.size() + 1)) return true;
    try {
        for (std::string& name : statements_.to_close) {
            const std::string text = close ? name : "DEALLOCATE " + name;
            forgetting_.push_back(std::move(name));
            if (!sent(close ? libpq_->PQsendClosePrepared_(connection_, text.c_str())
                            : libpq_->PQsendQueryParams_(connection_, text.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0)))
                return false;
            Expected one;
            one.what = Sent::forget;
            expect(one);
        }
    } catch (const std::bad_alloc&) {
        lost();
        return false;
    }
    statements_.to_close.clear();
    return send_sync(nullptr, 0, false);
}

bool Connection::enter_pipeline() noexcept {
    if (pipelined_) return true;
    if (!sent(libpq_->PQenterPipelineMode_(connection_))) return false;
    pipelined_ = true;
    return true;
}

void Connection::expect(const Expected& one) noexcept {
    expected_.push_back(one);
    if (!one.operation) return;
    ++one.operation->expected_;
    one.operation->sent = true;
}

// What a sending function of libpq says: nothing of ours makes it fail but the end of the connection, or of memory.
bool Connection::sent(int accepted) noexcept {
    unflushed_ = true;
    if (accepted) return true;
    lost();
    return false;
}

}  // namespace barewire::net::pg
