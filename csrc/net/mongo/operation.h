// One MongoDB command from server selection to reply, as the engine sees it; no Python, no sockets.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "net/failure.h"

namespace barewire::net::mongo {

using Clock = std::chrono::steady_clock;

enum class ReadMode : std::uint8_t { primary, primary_preferred, secondary, secondary_preferred, nearest };

// Immutable and shared between operations. Source: Server Selection specification, "Read Preference".
struct ReadPreference {
    ReadMode mode = ReadMode::primary;
    std::vector<std::vector<std::pair<std::string, std::string>>> tag_sets;
    base::Buffer document;   // the `$readPreference` document; sent when mode is not primary
};

// A server session: lsid and its transaction counter. Source: Driver Sessions specification.
struct ServerSession {
    std::uint8_t id[16];
    std::int64_t transaction_number = 0;
    Clock::time_point last_use;
    bool dirty = false;      // a network error happened in it: not returned to the pool
};

enum class Retry : std::uint8_t { never, read, write };
// implicit: the engine lends a server session for this operation; lent: `session` is the caller's (a cursor's);
// none: no lsid at all (the caller's body has its own, or the server must not see one).
enum class SessionUse : std::uint8_t { none, implicit, lent };

// What the engine knows of the server that answered, at the time it answered.
struct ServerFacts {
    std::string address;                     // "host:port" or a socket path
    std::int32_t max_wire_version = 0;
    std::int32_t max_document_size = 16 * 1024 * 1024;
    std::int32_t max_message_size = 48000000;
    std::int32_t max_batch_count = 100000;
    bool sessions = false;
    bool retryable_writes = false;
    bool mongos = false;
    bool standalone = false;
};

// Filled by the caller, run by Client, read by the caller again. Not thread-safe: it belongs to the thread that started it
// until it is finished; the engine never touches it from another thread afterwards.
// Reference counted, because a Python future may die before the reply comes. The engine drops its reference on the
// reactor's thread (or inside `run` for blocking callers), never on a thread of its own.
class Operation {
public:
    static constexpr std::size_t header_size = 25;  // message header, flag bits, section kind, document length

    Operation() noexcept = default;
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

    // --- the request -------------------------------------------------------------------------------------------------
    base::Buffer body;             // `header_size` free bytes, then the command's elements, without the terminator.
                                   // The engine appends lsid, txnNumber, $clusterTime, $readPreference, $db at every attempt.
    base::Buffer sequence;         // complete kind-1 sections (document sequences), or empty
    bool raw = false;              // body is a complete OP_MSG of the caller's: sent as it is but for the request id
    bool expects_reply = true;
    std::string database;
    std::shared_ptr<const ReadPreference> read_preference;   // nullptr: primary
    std::string address;           // not empty: exactly this server (getMore, killCursors, transactions on mongos)
    Retry retry = Retry::never;
    SessionUse session_use = SessionUse::implicit;
    std::unique_ptr<ServerSession> session;   // lent by the caller, or kept for him after an implicit use if `keep_session`
    bool keep_session = false;     // a cursor was opened: leave the implicit session here instead of returning it
    Clock::duration selection_timeout = std::chrono::seconds(30);
    Clock::duration wait_queue_timeout = Clock::duration::zero();  // zero: no limit
    Clock::duration socket_timeout = Clock::duration::zero();      // zero: no limit

    // --- the outcome -------------------------------------------------------------------------------------------------
    bool finished = false;
    Failure failure;               // kind none: a reply has arrived (which may say ok: 0)
    base::Buffer reply;            // the whole reply message, header included
    std::size_t reply_document = 0;       // offset and size of the body document in `reply`
    std::size_t reply_document_size = 0;
    ServerFacts server;
    int attempts = 0;
    bool sent = false;             // bytes of the last attempt may have reached the server

    // Called once on the reactor's thread with finished == true (possibly inside Client::start). Blocking callers: never.
    virtual void completed() noexcept {}
    // Asked on the reactor's thread before anything is sent: true drops the operation (its future was cancelled).
    virtual bool abandoned() noexcept { return false; }

    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy();
    }

protected:
    virtual ~Operation();   // keeps the reply's memory for a later operation
    virtual void destroy() noexcept { delete this; }

private:
    std::atomic<std::uint32_t> references_{1};
};

}  // namespace barewire::net::mongo
