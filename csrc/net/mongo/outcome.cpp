// What follows from the end of an attempt: errors, retries, sessions. Source: Retryable Reads, Retryable Writes, SDAM
// "Error handling". No sockets here.
#include <utility>

#include "net/mongo/engine.h"
#include "net/mongo/exchange.h"
#include "net/mongo/reply_buffers.h"

namespace barewire::net::mongo {

namespace {

bool network(const Failure& failure) noexcept {
    return failure.kind == Failure::Kind::network || failure.kind == Failure::Kind::network_timeout;
}

}  // namespace

bool Exchange::retry_allowed() const noexcept {
    if (retrying_ || operation_.raw) return false;
    switch (operation_.retry) {
        case Retry::read: return engine_.settings().retry_reads;
        case Retry::write:
            // Before anything was sent the server's abilities are not known, nor needed.
            return engine_.settings().retry_writes && (!operation_.sent || operation_.server.retryable_writes);
        case Retry::never: break;
    }
    return false;
}

void Exchange::drop_connection() noexcept {
    if (!connection_) return;
    Connection& connection = *std::exchange(connection_, nullptr);
    connection.server->discard(connection);
}

void Exchange::remember_outcome() noexcept {
    retrying_ = true;
    first_failure_ = std::exchange(operation_.failure, {});
    first_reply_ = std::move(operation_.reply);
    first_document_ = operation_.reply_document;
    first_document_size_ = operation_.reply_document_size;
    first_server_ = operation_.server;
    avoided_ = operation_.server.address;
    selection_deadline_ = Clock::now() + operation_.selection_timeout;
    operation_.reply.clear();
}

bool Exchange::restore_first_outcome() noexcept {
    if (!retrying_) return false;
    operation_.failure = std::move(first_failure_);
    operation_.reply = std::move(first_reply_);
    operation_.reply_document = first_document_;
    operation_.reply_document_size = first_document_size_;
    operation_.server = std::move(first_server_);
    return true;
}

Next Exchange::conclude() noexcept {
    Connection& connection = *std::exchange(connection_, nullptr);
    Server& server = *connection.server;
    connection.last_use = Clock::now();
    if (!operation_.expects_reply) {
        server.release(connection);
        return Next::finish;
    }
    ReplyBody body;
    const base::Status status =
        check_reply(operation_.reply.data(), operation_.reply.size(), request_.request_id(), body);
    const ReplyPeek reply = status ? peek(operation_.reply.data() + body.offset, body.size) : ReplyPeek{};
    if (!status || !reply.readable) {
        // Whatever this is, the stream cannot be trusted any more.
        connection_ = &connection;
        Failure failure;
        failure.kind = Failure::Kind::protocol;
        failure.message = status.message ? status.message : "reply is not a BSON document";
        failure.address = connection.facts.address;
        stop(std::move(failure));
        return Next::finish;
    }
    operation_.reply_document = body.offset;
    operation_.reply_document_size = body.size;
    if (reply.cluster_time) engine_.advance_cluster_time(reply.cluster_time, reply.cluster_time_size);
    if (BAREWIRE_LIKELY(reply.ok && reply.write_concern_code == 0)) {
        server.release(connection);
        return Next::finish;
    }
    const std::int32_t wire = connection.facts.max_wire_version;
    if (state_change_error(reply) && connection.generation == server.pool.generation() &&
        engine_.monitors().mark_changed(server.address, reply) &&
        (wire < 8 || shutdown_code(reply.code) || shutdown_code(reply.write_concern_code)))
        server.pool.clear();
    server.release(connection);

    bool again = false;
    if (retry_allowed()) {
        if (operation_.retry == Retry::read) {
            again = !reply.ok && retryable_read_code(reply.code);
        } else if (wire >= 9) {
            again = reply.retryable_write;
        } else {
            again = retryable_write_code(reply.ok ? reply.write_concern_code : reply.code);
        }
    }
    if (again) {
        remember_outcome();
        return Next::retry;
    }
    // A retry that wrote nothing says less than the attempt before it.
    if (retrying_ && reply.no_writes_performed) restore_first_outcome();
    return Next::finish;
}

Next Exchange::fail(Failure&& failure) noexcept {
    const bool on_the_wire = connection_ != nullptr;
    if (on_the_wire) {
        if (operation_.session) operation_.session->dirty = true;
        // A reply that is only late says nothing about the server.
        if (failure.kind == Failure::Kind::network) connection_->server->distrust(connection_->generation, failure);
    }
    drop_connection();
    const bool again = network(failure) && retry_allowed();
    operation_.failure = std::move(failure);
    operation_.reply.clear();
    if (again) {
        if (operation_.server.address.empty()) operation_.server.address = operation_.failure.address;
        remember_outcome();
        return Next::retry;
    }
    // A retry that never reached a server: the first error tells more.
    if (retrying_ && !on_the_wire) restore_first_outcome();
    return Next::finish;
}

Next Exchange::refuse() noexcept {
    Connection& connection = *std::exchange(connection_, nullptr);
    connection.server->release(connection);
    return Next::finish;
}

void Exchange::stop(Failure&& failure) noexcept {
    if (connection_ && operation_.sent && operation_.session) operation_.session->dirty = true;
    drop_connection();
    operation_.reply.clear();
    operation_.failure = std::move(failure);
}

void Exchange::finish() noexcept {
    if (implicit_ && operation_.session) {
        const bool keep = operation_.keep_session && !operation_.failure;
        if (!keep) engine_.release_session(std::move(operation_.session));
    }
    keep_reply_buffer(first_reply_);
    operation_.finished = true;
}

}  // namespace barewire::net::mongo
