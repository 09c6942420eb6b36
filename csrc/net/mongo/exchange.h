// One operation's attempts: what is sent, what came back, what follows from it. Who waits, and how, lives elsewhere
// (blocking_run, flight).
#pragma once

#include <cstdint>
#include <string>

#include "base/buffer.h"
#include "net/mongo/connection.h"
#include "net/mongo/message.h"
#include "net/mongo/operation.h"
#include "net/mongo/reply.h"

namespace barewire::net::mongo {

enum class Step : std::uint8_t { again, done, failed };
enum class Next : std::uint8_t { finish, retry };

class Exchange {
public:
    Exchange(Engine& engine, Operation& operation) noexcept;
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    Operation& operation() noexcept { return operation_; }
    Connection* connection() noexcept { return connection_; }
    // The server that a retry avoids if it can.
    const std::string& avoided() const noexcept { return avoided_; }
    Clock::time_point selection_deadline() const noexcept { return selection_deadline_; }

    // A connection is ours: builds the request for it. False: the operation cannot be sent; the failure is set and the
    // connection is still healthy.
    bool prepare(Connection& connection) noexcept;
    // As much as goes; `failure` is set on failed. `at_once`: never block (event loop).
    Step send(bool at_once, Failure& failure) noexcept;
    Step receive(bool at_once, Failure& failure) noexcept;
    // Over TLS, instead of send(): everything, blocking; 0: no limit.
    Step send_secure(Clock::duration limit, Interrupt* interrupt, Failure& failure) noexcept;
    std::size_t request_size() const noexcept { return request_.size(); }

    // The reply is complete (or none is expected): gives the connection back and decides.
    Next conclude() noexcept;
    // This attempt failed without a usable reply. A connection in use is dropped.
    Next fail(Failure&& failure) noexcept;
    // prepare() said no: the connection goes back, its failure stands.
    Next refuse() noexcept;
    // Gives up for good without a retry; a connection in use is dropped.
    void stop(Failure&& failure) noexcept;
    // No server for a retry: the first attempt's outcome stands. False: this was the first attempt.
    bool restore_first_outcome() noexcept;
    // Returns or keeps the session and sets `finished`.
    void finish() noexcept;

private:
    bool retry_allowed() const noexcept;
    void drop_connection() noexcept;
    void remember_outcome() noexcept;

    Engine& engine_;
    Operation& operation_;
    Connection* connection_ = nullptr;
    Request request_;
    std::size_t expected_ = 0;            // length of the reply, 0: not known yet
    Clock::time_point selection_deadline_;
    bool implicit_ = false;               // operation.session is the engine's
    bool numbered_ = false;               // transaction_number_ was assigned
    std::int64_t transaction_number_ = 0;
    std::string avoided_;
    // The first attempt, while a second is made.
    bool retrying_ = false;
    Failure first_failure_;
    base::Buffer first_reply_;
    std::size_t first_document_ = 0, first_document_size_ = 0;
    ServerFacts first_server_;
};

}  // namespace barewire::net::mongo
