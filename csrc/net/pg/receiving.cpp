// From libpq's results to operations: whose answer it is, what follows from it. Sending lives in sending.
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "net/pg/connection.h"
#include "net/pg/libpq.h"
#include "net/pg/statement_text.h"

namespace barewire::net::pg {

namespace {

bool is(const char* text, const char* other) noexcept { return text && std::strcmp(text, other) == 0; }

// Whether an error that follows in the same part, or in the same transaction, undoes what this command has done: those that
// can neither end a transaction (COMMIT, CALL, DO), nor be kept at once (VACUUM, CREATE INDEX CONCURRENTLY).
bool undone_by_error(const char* tag) noexcept {
    for (const char* one : {"SELECT ", "INSERT ", "UPDATE ", "DELETE ", "MERGE "}) {
        if (std::strncmp(tag, one, std::strlen(one)) == 0) return true;
    }
    return *tag == '\0';   // a part of the rows, or an empty statement
}

}  // namespace

void Connection::receive() noexcept {
    bool ended = false;   // libpq said that a command had ended although none was due
    while (!expected_.empty() && !paused_ && connected()) {
        Expected& front = expected_.front();
        if (front.chunk_rows && !chunk_set_) {
            chunk_set_ = true;
            // Refused when the command was skipped after an error: then no rows come either.
            if (libpq_->PQsetChunkedRowsMode_) libpq_->PQsetChunkedRowsMode_(connection_, front.chunk_rows);
            else libpq_->PQsetSingleRowMode_(connection_);
        }
        if (libpq_->PQisBusy_(connection_)) {
            if (front.operation && front.operation->finished && front.operation->discarding_) cancel_soon();
            return;
        }
        PGresult* result = libpq_->PQgetResult_(connection_);
        if (!result) {
            if (front.what != Sent::sync) {
                command_ended();
                ended = false;
                continue;
            }
            // Once after an error that came with the Sync. Twice: libpq has nothing more to give.
            if (ended) return;
            ended = true;
            continue;
        }
        ended = false;
        const int status = static_cast<int>(libpq_->PQresultStatus_(result));
        switch (status) {
            case PGRES_PIPELINE_SYNC:
                libpq_->PQclear_(result);
                synced();
                break;
            case PGRES_PIPELINE_ABORTED:
                libpq_->PQclear_(result);
                aborted();
                break;
            case PGRES_COPY_IN:
            case PGRES_COPY_OUT:
            case PGRES_COPY_BOTH:
                libpq_->PQclear_(result);
                refuse_copy(status);
                break;
            case PGRES_BAD_RESPONSE:
            case PGRES_FATAL_ERROR: errored(result); break;
            default: succeeded(result); break;
        }
    }
}

void Connection::pop_expected() noexcept {
    Operation* operation = expected_.front().operation;
    expected_.pop_front();
    chunk_set_ = false;
    front_rows_ = 0;
    if (!operation) return;
    --operation->expected_;
    retire(*operation);
}

void Connection::command_ended() noexcept {
    Expected& front = expected_.front();
    if (front.what == Sent::item) {
        front.statement->last_rows = front_rows_;
        if (front.count > 1) {
            ++front.item;
            --front.count;
            chunk_set_ = false;
            front_rows_ = 0;
            return;
        }
    }
    pop_expected();
}

void Connection::succeeded(PGresult* result) noexcept {
    const Expected& front = expected_.front();
    switch (front.what) {
        case Sent::item: deliver(static_cast<Execution&>(*front.operation), result); return;
        case Sent::describe: learn(*front.statement, result); break;
        case Sent::commit:
        case Sent::rollback: maybe_open_ = false; break;
        case Sent::forget: forgetting_.pop_front(); break;
        case Sent::prepare:
        case Sent::begin:
        case Sent::poison:
        case Sent::sync: break;
    }
    libpq_->PQclear_(result);
}

void Connection::deliver(Execution& execution, PGresult* result) noexcept {
    const Expected& front = expected_.front();
    const Result view(*libpq_, result, tagged_part_.raw());
    if (view.kind() == ResultKind::command) notice_tag(result);
    front_rows_ += static_cast<std::uint32_t>(view.rows());
    if (!execution.held_.empty()) give_held(execution);
    if (!undone_by_error(libpq_->PQcmdStatus_(result))) execution.kept_ = true;
    if (!execution.discarding_) {
        Statement& statement = *front.statement;
        if (view.columns() != 0) compare(statement, view);
        switch (execution.result(front.item, statement, view)) {
            case Answer::more: break;
            case Answer::pause: paused_ = &execution; break;
            case Answer::stop:
                execution.failure.kind = Failure::Kind::refused;
                execution.failed_item = front.item;
                execution.discarding_ = true;
                // The server would go on to send rows that nobody wants.
                if (!view.complete()) cancel_running();
                break;
        }
    }
    tagged_part_.reset();
    // libpq writes the tag into the last part that has rows, not into the empty result behind it.
    if (!view.complete() && *libpq_->PQcmdStatus_(result)) tagged_part_ = OwnedResult(*libpq_, result);
    else libpq_->PQclear_(result);
}

// The description of a statement.
void Connection::learn(Statement& statement, const PGresult* result) noexcept {
    try {
        statement.parameter_types.clear();
        const int parameters = libpq_->PQnparams_(result);
        for (int i = 0; i < parameters; ++i) statement.parameter_types.push_back(libpq_->PQparamtype_(result, i));
        statement.columns.clear();
        const int columns = libpq_->PQnfields_(result);
        for (int i = 0; i < columns; ++i) {
            Column& column = statement.columns.emplace_back();
            column.name = libpq_->PQfname_(result, i);
            column.type = libpq_->PQftype_(result, i);
            column.modifier = libpq_->PQfmod_(result, i);
            column.table = libpq_->PQftable_(result, i);
            column.table_column = libpq_->PQftablecol_(result, i);
        }
        statement.plan.reset();
        statement.described = true;
        statement.unsure = false;
    } catch (const std::bad_alloc&) {
        statement.described = false;
        Operation* operation = expected_.front().operation;
        if (operation && !operation->failure) operation->failure.kind = Failure::Kind::out_of_memory;
    }
}

// A description that may be out of date is corrected by what the server sends now.
void Connection::compare(Statement& statement, const Result& result) noexcept {
    if (!statement.unsure) return;
    statement.unsure = false;
    bool same = statement.columns.size() == static_cast<std::size_t>(result.columns());
    for (int i = 0; same && i < result.columns(); ++i) {
        const Column& column = statement.columns[static_cast<std::size_t>(i)];
        same = column.type == result.column_type(i) && column.name == result.column_name(i);
    }
    if (same || &statement == &plain_) return;
    learn(statement, result.raw());
}

// Commands that change what the connection knows.
void Connection::notice_tag(const PGresult* result) noexcept {
    const char* tag = libpq_->PQcmdStatus_(const_cast<PGresult*>(result));
    if (!tag) return;
    switch (tag[0]) {
        case 'D':
            if (is(tag, "DISCARD ALL") || is(tag, "DEALLOCATE ALL")) statements_.forget_names();
            break;
        case 'B':
            if (is(tag, "BEGIN")) maybe_open_ = true;
            break;
        case 'S':
            if (is(tag, "START TRANSACTION")) maybe_open_ = true;
            break;
        default: break;
    }
}

void Connection::errored(PGresult* result) noexcept {
    const Expected& front = expected_.front();
    Operation* operation = front.operation;
    bool keep = true;   // it is the operation's error
    switch (front.what) {
        case Sent::prepare: not_prepared(front); break;
        case Sent::describe:
            // The server has it, but it is not known what it is.
            if (front.version == front.statement->version) statements_.invalidate(*front.statement);
            break;
        case Sent::forget:
            // Not in a failed transaction: another time. Otherwise the server did not know the name any more.
            if (is(libpq_->PQresultErrorField_(result, PG_DIAG_SQLSTATE), "25P02")) {
                try {
                    statements_.to_close.push_back(std::move(forgetting_.front()));
                } catch (const std::bad_alloc&) {
                }
            }
            forgetting_.pop_front();
            keep = false;
            break;
        case Sent::poison:
        case Sent::rollback: keep = false; break;
        case Sent::item:
            item_errored(static_cast<Execution&>(*operation), result);
            return;
        case Sent::begin:
        case Sent::commit:
        case Sent::sync: break;
    }
    if (!keep || !operation || operation->error || operation->discarding_) {
        libpq_->PQclear_(result);
        return;
    }
    if (operation->kind == Operation::Kind::execution) {
        auto& execution = static_cast<Execution&>(*operation);
        if (execution.phase_ == Execution::Phase::describing && front.what != Sent::begin) {
            if (execution.separate) {
                keep_use_error(execution, front.item, result);
                return;
            }
            execution.failed_use = front.item;
            // Meant for another operation of this connection.
            execution.repeatable_ = execution.hit_ =
                is(libpq_->PQresultErrorField_(result, PG_DIAG_SQLSTATE), "57014") && may_be_stray();
        }
        // Of a constraint that is only checked when the item's transaction ends, or of a statement that was known before.
        if ((front.what == Sent::sync || front.what == Sent::prepare) && execution.separate &&
            execution.phase_ != Execution::Phase::describing) {
            item_errored(execution, result);
            return;
        }
        execution.failed_ = true;
        execution.failed_item = front.what == Sent::commit ? execution.items_ : front.item;
    }
    operation->error = OwnedResult(*libpq_, result);
}

void Connection::item_errored(Execution& execution, PGresult* result) noexcept {
    const Expected& front = expected_.front();
    if (execution.discarding_) {
        libpq_->PQclear_(result);
        return;
    }
    const char* state = libpq_->PQresultErrorField_(result, PG_DIAG_SQLSTATE);
    bool repeatable = false;
    if (front.statement && is(state, "0A000") &&
        is(libpq_->PQresultErrorField_(result, PG_DIAG_SOURCE_FUNCTION), "RevalidateCachedQuery")) {
        // "cached plan must not change result type": the table was altered.
        if (front.version == front.statement->version) statements_.invalidate(*front.statement);
        repeatable = true;
    } else if (front.statement && front.statement != &plain_ && is(state, "26000")) {
        // Somebody has deallocated it, or a pooler has given us another server process. It may have got a new name since.
        if (front.version == front.statement->version) {
            front.statement->name.clear();
            statements_.invalidate(*front.statement);
        }
        repeatable = true;
    } else if (is(state, "57014") && may_be_stray()) {
        // The request was meant for another operation of this connection. CALL or DO may have committed something.
        repeatable = true;
        for (std::size_t i = 0; i < execution.use_count; ++i) {
            const StatementKey& key = execution.uses[i].key;
            repeatable = repeatable && leaves_nothing_behind({key.text, key.size});
        }
        execution.hit_ = repeatable;
    }
    if (execution.separate) {
        if (repeatable && execution.may_repeat() && !maybe_open_) {
            try {
                execution.held_.push_back({front.item, OwnedResult()});
                execution.held_.back().error = OwnedResult(*libpq_, result);
                return;
            } catch (const std::bad_alloc&) {
                // Then it is an error like any other.
            }
        }
        give_held(execution);
        if (!execution.discarding_)
            give_error(execution, front.item, front.statement ? *front.statement : plain_, Result(*libpq_, result));
        libpq_->PQclear_(result);
        return;
    }
    if (execution.error) {
        libpq_->PQclear_(result);
        return;
    }
    execution.repeatable_ = repeatable;
    execution.failed_ = true;
    execution.failed_item = front.item;
    execution.error = OwnedResult(*libpq_, result);
}

// With `separate`: the error of one item.
void Connection::give_error(Execution& execution, std::size_t item, Statement& statement, const Result& error) noexcept {
    switch (execution.result(item, statement, error)) {
        case Answer::more: break;
        case Answer::pause: paused_ = &execution; break;
        case Answer::stop:
            execution.failure.kind = Failure::Kind::refused;
            execution.discarding_ = true;
            break;
    }
}

// What was not told because these items might have been sent again.
void Connection::give_held(Execution& execution) noexcept {
    const std::vector<Execution::Held> held = std::exchange(execution.held_, {});
    for (const Execution::Held& one : held) {
        if (!execution.discarding_) give_error(execution, one.item, plain_, one.error.view());
    }
}

// The server does not know the name. The statement may have got another one since.
void Connection::not_prepared(const Expected& one) noexcept {
    if (one.version == one.statement->version) one.statement->name.clear();
}

// Skipped, because something before it in its part has failed.
void Connection::aborted() noexcept {
    const Expected& front = expected_.front();
    if (front.what == Sent::prepare) not_prepared(front);
    if (front.what == Sent::forget && !forgetting_.empty()) {
        try {
            statements_.to_close.push_back(std::move(forgetting_.front()));
        } catch (const std::bad_alloc&) {
        }
        forgetting_.pop_front();
    }
    if (!front.operation || front.operation->kind != Operation::Kind::execution || front.what == Sent::rollback) return;
    auto& execution = static_cast<Execution&>(*front.operation);
    if (execution.separate && !execution.error) return;   // the error before it is that of its item
    execution.failed_ = true;
}

// Of an execution with items on their own: the others are to be run all the same.
void Connection::keep_use_error(Execution& execution, std::size_t use, PGresult* result) noexcept {
    OwnedResult error(*libpq_, result);
    try {
        if (execution.use_errors_.size() <= use) execution.use_errors_.resize(use + 1);
    } catch (const std::bad_alloc&) {
        execution.failed_ = true;
        fail(execution, Failure::Kind::out_of_memory, "");
        return;
    }
    if (!execution.use_errors_[use]) execution.use_errors_[use] = std::move(error);
}

void Connection::synced() noexcept {
    const Expected done = expected_.front();
    expected_.pop_front();
    chunk_set_ = false;
    front_rows_ = 0;
    if (expected_.empty()) {
        const PGTransactionStatusType status = libpq_->PQtransactionStatus_(connection_);
        maybe_open_ = status != PQTRANS_IDLE;
        failed_transaction_ = status == PQTRANS_INERROR;
    }
    Operation* operation = done.operation;
    if (!operation) return;
    --operation->expected_;
    if (operation->finished) {
        // Given up: nobody else would end its transaction.
        const bool open = operation->kind == Operation::Kind::execution && operation->expected_ == 0 &&
                          roll_back(static_cast<Execution&>(*operation));
        if (!open) retire(*operation);
    } else if (operation->kind != Operation::Kind::execution) {
        // Of the BEGIN before it.
        if (!operation->error) return;
        waiting_.remove(*operation);
        operation->queued_ = false;
        finish(*operation);
    } else {
        auto& execution = static_cast<Execution&>(*operation);
        if (execution.phase_ == Execution::Phase::describing) {
            if (!done.last) return;
            execution.phase_ = Execution::Phase::running;
            if (!execution.failed_ && !execution.failure) return;
            if (execution.repeatable_ && !execution.failure && repeat(execution, 0)) return;
            waiting_.remove(execution);
            execution.queued_ = false;
            finish(execution);
        } else if (done.last) {
            conclude(execution);
        }
    }
}

// A COPY came where it cannot be served: it is ended as soon as possible, and fails.
void Connection::refuse_copy(int status) noexcept {
    Operation* operation = expected_.front().operation;
    if (operation && !operation->finished && !operation->failure) {
        operation->failure.kind = Failure::Kind::protocol;
        operation->failure.message = "COPY needs a copy operation";
        operation->discarding_ = true;
    }
    if (status == PGRES_COPY_IN) {
        unflushed_ = true;
        libpq_->PQputCopyEnd_(connection_, "COPY needs a copy operation");
        return;
    }
    // libpq cannot take copied data in pipeline mode in a way that all its releases get right.
    Failure why;
    why.kind = Failure::Kind::protocol;
    why.message = "COPY needs a copy operation";
    lost(std::move(why));
}

}  // namespace barewire::net::pg
