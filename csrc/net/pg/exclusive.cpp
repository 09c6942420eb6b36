// Operations that have the connection to themselves, outside of libpq's pipeline mode: scripts and COPY both ways.
#include <sys/socket.h>

#include <algorithm>
#include <new>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "net/pg/connection.h"
#include "net/pg/libpq.h"
#include "net/readiness.h"

namespace barewire::net::pg {

namespace {

// Bytes of COPY after which others get the loop.
constexpr std::size_t turn_size = 1024 * 1024;

// libpq sends whole units of this and keeps the rest for the next piece; a message of COPY has a head of five bytes.
constexpr std::size_t sent_unit = 8192, message_head = 5;

// What a socket takes without ado that says it can be written: then a third of its buffer is free at least.
std::size_t piece_of(int descriptor) noexcept {
    int size = 0;
    socklen_t length = sizeof size;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, &length) != 0) size = 0;
    const std::size_t units = static_cast<std::size_t>(std::max(size, 0)) / 4 / sent_unit;
    return std::clamp<std::size_t>(units, 4, 16) * sent_unit - message_head;
}

const char* text_of(const Operation& operation) noexcept {
    switch (operation.kind) {
        case Operation::Kind::script: return static_cast<const Script&>(operation).text;
        case Operation::Kind::copy_in: return static_cast<const CopyIn&>(operation).text;
        case Operation::Kind::copy_out: return static_cast<const CopyOut&>(operation).text;
        case Operation::Kind::execution: break;
    }
    return "";
}

template <class Copy>
void set_tag(Copy& copy, const Result& result) noexcept {
    copy.rows = result.affected();
    try {
        copy.tag.assign(result.command_tag());
    } catch (const std::bad_alloc&) {
    }
}

}  // namespace

// False: it has to wait.
bool Connection::start_exclusive(Operation& operation) noexcept {
    if (!expected_.empty()) return false;
    if (!begin_.empty()) {
        if (!enter_pipeline() || !send_begin(operation, begin_)) return false;
        send_sync(&operation, 0, false);
        return false;
    }
    if (pipelined_) {
        if (!sent(libpq_->PQexitPipelineMode_(connection_))) return true;
        pipelined_ = false;
    }
    if (!sent(libpq_->PQsendQuery_(connection_, text_of(operation)))) return true;
    waiting_.remove(operation);
    operation.queued_ = false;
    operation.sent = true;
    exclusive_ = &operation;
    block_left_ = 0;
    stage_ = Stage::query;
    return true;
}

void Connection::receive_exclusive() noexcept {
    while (exclusive_ && !paused_ && connected()) {
        if (stage_ == Stage::copy_in) return;   // libpq shows nothing until we end it
        if (stage_ == Stage::copy_out) {
            if (!take_copied()) return;
            continue;
        }
        if (libpq_->PQisBusy_(connection_)) return;
        PGresult* result = libpq_->PQgetResult_(connection_);
        if (!result) {
            exclusive_ended();
            return;
        }
        if (exclusive_result(result, static_cast<int>(libpq_->PQresultStatus_(result)))) libpq_->PQclear_(result);
    }
}

// True: the result is not kept.
bool Connection::exclusive_result(PGresult* result, int status) noexcept {
    Operation& operation = *exclusive_;
    const Result view(*libpq_, result);
    const auto misplaced = [&](const char* message) {
        if (operation.discarding_) return;
        operation.discarding_ = true;
        operation.failure.kind = Failure::Kind::protocol;
        operation.failure.message = message;
    };
    switch (status) {
        case PGRES_COPY_IN:
            stage_ = Stage::copy_in;
            if (operation.kind != Operation::Kind::copy_in) misplaced("COPY FROM STDIN needs a copy operation");
            if (operation.discarding_) end_copy("stopped by the client");
            else static_cast<CopyIn&>(operation).started(libpq_->PQnfields_(result), libpq_->PQbinaryTuples_(result) != 0);
            return true;
        case PGRES_COPY_OUT:
            stage_ = Stage::copy_out;
            if (operation.kind != Operation::Kind::copy_out) misplaced("COPY TO STDOUT needs a copy operation");
            if (operation.discarding_) cancel_running();
            else static_cast<CopyOut&>(operation).started(libpq_->PQnfields_(result), libpq_->PQbinaryTuples_(result) != 0);
            return true;
        case PGRES_COPY_BOTH: {
            Failure why;
            why.kind = Failure::Kind::protocol;
            why.message = "replication is not spoken here";
            lost(std::move(why));
            return true;
        }
        case PGRES_FATAL_ERROR:
        case PGRES_BAD_RESPONSE:
            if (operation.error || operation.discarding_) return true;
            operation.error = OwnedResult(*libpq_, result);
            return false;
        default: break;
    }
    if (view.kind() == ResultKind::command) notice_tag(result);
    if (operation.discarding_) return true;
    switch (operation.kind) {
        case Operation::Kind::script:
            switch (static_cast<Script&>(operation).result(view)) {
                case Answer::more: break;
                case Answer::pause: paused_ = &operation; break;
                case Answer::stop:
                    operation.failure.kind = Failure::Kind::refused;
                    operation.discarding_ = true;
                    break;
            }
            break;
        case Operation::Kind::copy_in:
        case Operation::Kind::copy_out:
            if (view.command_tag().substr(0, 5) != "COPY ") misplaced("the statement is not a COPY");
            else if (operation.kind == Operation::Kind::copy_in) set_tag(static_cast<CopyIn&>(operation), view);
            else set_tag(static_cast<CopyOut&>(operation), view);
            break;
        case Operation::Kind::execution: break;
    }
    return true;
}

// One message of COPY TO. False: nothing more for now.
bool Connection::take_copied() noexcept {
    char* bytes = nullptr;
    const int size = libpq_->PQgetCopyData_(connection_, &bytes, 1);
    if (size == 0) return false;
    if (size < 0) {
        // The end, or an error: the result that follows says which.
        stage_ = Stage::query;
        return true;
    }
    Operation& operation = *exclusive_;
    if (!operation.discarding_) {
        auto& copy = static_cast<CopyOut&>(operation);
        switch (copy.data(reinterpret_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(size))) {
            case Answer::more: break;
            case Answer::pause: paused_ = &operation; break;
            case Answer::stop:
                operation.failure.kind = Failure::Kind::refused;
                operation.discarding_ = true;
                cancel_running();
                break;
        }
    }
    libpq_->PQfreemem_(bytes);
    return true;
}

// Gives the server blocks as long as the socket takes them, in pieces: libpq must not find the socket full, for then it reads,
// and an error that it has read cannot be seen before the end, which an endless source never reaches.
void Connection::feed_copy() noexcept {
    auto& copy = static_cast<CopyIn&>(*exclusive_);
    if (blocked_ || copy.awaiting_) return;
    const std::size_t piece = piece_of(descriptor_);
    for (std::size_t turn = 0;;) {
        const short ready = readiness(descriptor_);
        if ((ready & ~POLLOUT) != 0 && server_protests()) {
            // It has failed and throws away what we send. What is not complete must not look so, whatever happens.
            end_copy("stopped by the client");
            return;
        }
        if (block_left_ == 0) {
            switch (copy.block(block_, block_left_)) {
                case Next::item: break;
                case Next::end: end_copy(nullptr); return;
                case Next::wait:
                    copy.awaiting_ = true;
                    flush();
                    return;
                case Next::refuse:
                case Next::anew:
                    copy.failure.kind = Failure::Kind::refused;
                    copy.discarding_ = true;
                    end_copy("stopped by the client");
                    return;
            }
            if (block_left_ == 0) continue;
        }
        if ((ready & ~POLLIN) == 0) {
            // Not blocked_: a flush at the end of the turn may succeed, and would take that back.
            more_to_send_ = true;
            return;
        }
        const std::size_t part = std::min(block_left_, piece);
        if (libpq_->PQputCopyData_(connection_, reinterpret_cast<const char*>(block_), static_cast<int>(part)) != 1) {
            lost();
            return;
        }
        block_ += part;
        block_left_ -= part;
        turn += part;
        if (reactor_ && turn >= turn_size) {
            more_to_send_ = true;
            return;
        }
    }
}

// `error` nullptr: all has been sent.
void Connection::end_copy(const char* error) noexcept {
    stage_ = Stage::query;
    unflushed_ = true;
    copy_ended_ = true;
    block_left_ = 0;
    if (libpq_->PQputCopyEnd_(connection_, error) < 0) lost();
}

// While data was copied in, libpq may have read the server's answer (it reads when it cannot write) without showing it; the
// socket does not become readable for it again.
void Connection::look_behind_copy() noexcept {
    if (std::exchange(copy_ended_, false) && connected()) receive_exclusive();
}

// libpq does not show an error while data is copied in, so its first bytes are looked for in the socket, or behind it in the
// TLS library, as long as nothing of them has been read. With GSSAPI encryption the error is seen at the end only.
bool Connection::server_protests() const noexcept {
    std::uint8_t bytes[4096];
    ssize_t count = 0;
    if (libpq_->PQsslInUse_(connection_)) {
        void* tls = libpq_->PQsslStruct_ ? libpq_->PQsslStruct_(connection_, "OpenSSL") : nullptr;
        if (tls) count = libpq_->SSL_peek_(tls, bytes, static_cast<int>(sizeof bytes));
    } else if (!libpq_->PQgssEncInUse_(connection_)) {
        count = ::recv(descriptor_, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    }
    if (count <= 0) return false;
    for (std::size_t at = 0; at + 5 <= static_cast<std::size_t>(count);) {
        if (bytes[at] == 'E') return true;
        at += 1 + std::size_t{base::load_big<std::uint32_t>(bytes + at + 1)};
    }
    return false;
}

void Connection::exclusive_ended() noexcept {
    Operation& operation = *std::exchange(exclusive_, nullptr);
    stage_ = Stage::none;
    const PGTransactionStatusType status = libpq_->PQtransactionStatus_(connection_);
    maybe_open_ = status != PQTRANS_IDLE;
    failed_transaction_ = status == PQTRANS_INERROR;
    if (operation.finished) retire(operation);
    else finish(operation);
}

}  // namespace barewire::net::pg
