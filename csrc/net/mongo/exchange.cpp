// Building, sending and receiving of one attempt. What follows from an outcome is in outcome.cpp.
#include "net/mongo/exchange.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include "net/mongo/engine.h"
#include "net/mongo/reply_buffers.h"
#include "net/mongo/selection.h"

namespace barewire::net::mongo {

namespace {

Step broken(Failure& failure, const Connection& connection, int error) noexcept {
    failure.kind = error == ETIMEDOUT ? Failure::Kind::network_timeout : Failure::Kind::network;
    failure.code = error;
    failure.message = error == ETIMEDOUT ? "timed out" : error ? std::generic_category().message(error) : "connection closed";
    failure.address = connection.facts.address;
    return Step::failed;
}

Step nonsense(Failure& failure, const Connection& connection, const char* text) noexcept {
    failure.kind = Failure::Kind::protocol;
    failure.message = text;
    failure.address = connection.facts.address;
    return Step::failed;
}

}  // namespace

Exchange::Exchange(Engine& engine, Operation& operation) noexcept
    : engine_(engine), operation_(operation), selection_deadline_(Clock::now() + operation.selection_timeout) {
    operation.finished = false;
    operation.failure = {};
    operation.attempts = 0;
    operation.sent = false;
}

bool Exchange::prepare(Connection& connection) noexcept {
    connection_ = &connection;
    const ServerFacts& facts = connection.facts;
    operation_.server = facts;
    operation_.sent = false;
    ++operation_.attempts;
    expected_ = 0;
    Tail tail;
    if (!operation_.raw) {
        if (operation_.session_use == SessionUse::implicit && facts.sessions && operation_.expects_reply &&
            !operation_.session) {
            operation_.session = engine_.acquire_session();
            implicit_ = true;
            if (!operation_.session) {
                operation_.failure.kind = Failure::Kind::out_of_memory;
                return false;
            }
        }
        ServerSession* session = operation_.session_use == SessionUse::none ? nullptr : operation_.session.get();
        if (session && facts.sessions) {
            session->last_use = Clock::now();
            tail.session_id = session->id;
            if (operation_.retry == Retry::write && engine_.settings().retry_writes && facts.retryable_writes) {
                if (!numbered_) {
                    numbered_ = true;
                    transaction_number_ = ++session->transaction_number;
                }
                tail.has_transaction_number = true;
                tail.transaction_number = transaction_number_;
            }
        }
        if (!engine_.copy_cluster_time(connection.cluster_time)) {
            operation_.failure.kind = Failure::Kind::out_of_memory;
            return false;
        }
        tail.cluster_time = &connection.cluster_time;
        // relaxed: a view of the deployment that may be a moment old.
        tail.read_preference = read_preference_to_send(
            static_cast<TopologyType>(connection.server->topology_type.load(std::memory_order_relaxed)),
            static_cast<ServerType>(connection.server->server_type.load(std::memory_order_relaxed)), operation_);
    }
    if (request_.build(operation_, next_request_id(), tail, connection.tail)) return true;
    operation_.failure.kind = Failure::Kind::protocol;
    operation_.failure.message = "message cannot be built: malformed, longer than 2 GiB or out of memory";
    return false;
}

Step Exchange::send(bool at_once, Failure& failure) noexcept {
    std::array<iovec, 3> parts;
    operation_.sent = true;
    while (!request_.done()) {
        const std::size_t count = request_.remaining(parts);
        const Transfer transfer = connection_->channel.send(parts.data(), count, at_once);
        if (transfer.error == 0) {
            request_.sent(transfer.count);
            continue;
        }
        if (transfer.again()) return Step::again;
        return broken(failure, *connection_, transfer.error);
    }
    return Step::done;
}

Step Exchange::send_secure(Clock::duration limit, Interrupt* interrupt, Failure& failure) noexcept {
    operation_.sent = true;
    std::array<iovec, 3> parts;
    const std::size_t count = request_.remaining(parts);
    const auto milliseconds = limit > Clock::duration::zero()
                                  ? std::chrono::ceil<std::chrono::milliseconds>(limit)
                                  : std::chrono::milliseconds(std::chrono::hours(24));
    const Transfer transfer = connection_->channel.send_secure(parts.data(), count, milliseconds, interrupt);
    if (transfer.error == ECANCELED) {
        failure.kind = Failure::Kind::interrupted;
        failure.message = "interrupted";
        return Step::failed;
    }
    if (transfer.error != 0) return broken(failure, *connection_, transfer.error);
    request_.sent(transfer.count);
    return Step::done;
}

Step Exchange::receive(bool at_once, Failure& failure) noexcept {
    base::Buffer& reply = operation_.reply;
    if (expected_ == 0 && reply.capacity() < first_receive) {
        if (!take_reply_buffer(reply, first_receive)) return failure.kind = Failure::Kind::out_of_memory, Step::failed;
    }
    for (;;) {
        const std::size_t room = (expected_ ? expected_ : reply.capacity()) - reply.size();
        const Transfer transfer = connection_->channel.receive(reply.tail(), room, at_once);
        if (transfer.again()) return Step::again;
        if (transfer.error != 0 || transfer.count == 0) return broken(failure, *connection_, transfer.error);
        reply.advance(transfer.count);
        if (expected_ == 0) {
            if (reply.size() < message_header_size) continue;
            expected_ = stated_length(reply.data(), largest_reply);
            if (expected_ == 0) return nonsense(failure, *connection_, "reply has an impossible length");
            if (!take_reply_buffer(reply, expected_))
                return failure.kind = Failure::Kind::out_of_memory, Step::failed;
        }
        if (reply.size() == expected_) return Step::done;
        if (reply.size() > expected_) return nonsense(failure, *connection_, "bytes behind the reply");
    }
}

}  // namespace barewire::net::mongo
