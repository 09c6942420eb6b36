// OP_MSG framing: the bytes before and behind a command's own elements, and the checks of a reply's frame. Sockets and
// the meaning of replies may not live here. Source: MongoDB Wire Protocol, "OP_MSG".
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/status.h"
#include "net/mongo/operation.h"

namespace barewire::net::mongo {

inline constexpr std::int32_t op_msg = 2013;
inline constexpr std::size_t message_header_size = 16;
// Largest reply that is believed at all: 48 MB of documents plus the frame around them.
inline constexpr std::int32_t largest_reply = 48 * 1024 * 1024 + 16 * 1024;

namespace flag {
inline constexpr std::uint32_t checksum_present = 0x1, more_to_come = 0x2, exhaust_allowed = 0x10000;
}

// The elements the engine adds behind the caller's; every one is optional.
struct Tail {
    const std::uint8_t* session_id = nullptr;        // 16 bytes: `lsid`
    bool has_transaction_number = false;
    std::int64_t transaction_number = 0;             // `txnNumber`
    const base::Buffer* cluster_time = nullptr;      // `$clusterTime`
    const base::Buffer* read_preference = nullptr;   // `$readPreference`
};

// One request on its way: the parts and how much of them has been sent. Points into the operation.
class Request {
public:
    // Writes the frame into operation.body's first bytes and the tail into `scratch`. False: no memory, or the message is
    // longer than 2^31 - 1 bytes. The operation's buffers and `scratch` must stay unchanged until everything is sent.
    [[nodiscard]] bool build(Operation& operation, std::int32_t request_id, const Tail& tail,
                             base::Buffer& scratch) noexcept;

    // What remains to be sent, for sendmsg. Zero entries: everything is sent.
    std::size_t remaining(std::array<iovec, 3>& parts) const noexcept;
    void sent(std::size_t count) noexcept { sent_ += count; }
    bool done() const noexcept { return sent_ == size_; }
    std::size_t size() const noexcept { return size_; }
    std::int32_t request_id() const noexcept { return request_id_; }

private:
    std::array<iovec, 3> parts_{};
    std::size_t size_ = 0, sent_ = 0;
    std::int32_t request_id_ = 0;
};

// A number for the next request of this process; never 0.
std::int32_t next_request_id() noexcept;

// Length stated by the first four bytes; 0 when no server would send such a message.
std::size_t stated_length(const std::uint8_t* header, std::size_t largest) noexcept;

// Where the one body document of a whole reply lies.
struct ReplyBody {
    std::size_t offset = 0, size = 0;
    std::uint32_t flags = 0;
};

// Checks a complete reply message: opcode, answer to `request_id`, flags, sections, document length. A checksum is checked
// for its place only: TCP and TLS have their own.
base::Status check_reply(const std::uint8_t* message, std::size_t size, std::int32_t request_id, ReplyBody& body) noexcept;

}  // namespace barewire::net::mongo
