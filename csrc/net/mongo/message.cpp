// Writing and checking of OP_MSG frames. No sockets here.
#include "net/mongo/message.h"

#include <atomic>
#include <cstring>
#include <limits>
#include <string_view>

#include "base/bytes.h"

namespace barewire::net::mongo {

namespace {

using base::Buffer;
using base::load_little;
using base::store_little;

// A literal with its terminating zero: an element's type byte and name.
template <std::size_t Size>
bool append_text(Buffer& buffer, const char (&text)[Size]) noexcept {
    return buffer.append(text, Size);
}

bool append_tail(Buffer& to, std::string_view database, const Tail& tail) noexcept {
    if (tail.session_id) {
        // {lsid: {id: <UUID>}}
        static constexpr char lsid[] = "\x03lsid\0\x1e\0\0\0\x05id\0\x10\0\0\0\x04";
        if (!to.append(lsid, sizeof lsid - 1) || !to.append(tail.session_id, 16) || !to.append("", 1)) return false;
    }
    if (tail.has_transaction_number &&
        (!append_text(to, "\x12txnNumber") || !to.append_little<std::int64_t>(tail.transaction_number)))
        return false;
    if (tail.cluster_time && !tail.cluster_time->empty() &&
        (!append_text(to, "\x03$clusterTime") || !to.append(tail.cluster_time->data(), tail.cluster_time->size())))
        return false;
    if (tail.read_preference && !tail.read_preference->empty() &&
        (!append_text(to, "\x03$readPreference") ||
         !to.append(tail.read_preference->data(), tail.read_preference->size())))
        return false;
    return append_text(to, "\x02$db") && to.append_little<std::int32_t>(static_cast<std::int32_t>(database.size() + 1)) &&
           to.append(database.data(), database.size()) && to.append("\0", 2);  // end of string, end of document
}

}  // namespace

bool Request::build(Operation& operation, std::int32_t request_id, const Tail& tail, Buffer& scratch) noexcept {
    request_id_ = request_id;
    sent_ = size_ = 0;
    parts_ = {};
    scratch.clear();
    Buffer& body = operation.body;
    if (operation.raw) {
        if (body.size() < message_header_size || body.size() > std::numeric_limits<std::int32_t>::max()) return false;
        store_little<std::int32_t>(body.data() + 4, request_id);
        parts_[0] = {body.data(), body.size()};
        size_ = body.size();
        return true;
    }
    if (body.size() < Operation::header_size || operation.database.size() > 1024) return false;
    if (!append_tail(scratch, operation.database, tail)) return false;
    size_ = body.size() + scratch.size() + operation.sequence.size();
    if (size_ > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) return false;
    std::uint8_t* header = body.data();
    store_little<std::int32_t>(header, static_cast<std::int32_t>(size_));
    store_little<std::int32_t>(header + 4, request_id);
    store_little<std::int32_t>(header + 8, 0);
    store_little<std::int32_t>(header + 12, op_msg);
    store_little<std::uint32_t>(header + 16, operation.expects_reply ? 0 : flag::more_to_come);
    header[20] = 0;  // section kind 0
    store_little<std::int32_t>(header + 21, static_cast<std::int32_t>(body.size() - 21 + scratch.size()));
    parts_[0] = {body.data(), body.size()};
    parts_[1] = {scratch.data(), scratch.size()};
    parts_[2] = {operation.sequence.data(), operation.sequence.size()};
    return true;
}

std::size_t Request::remaining(std::array<iovec, 3>& parts) const noexcept {
    std::size_t count = 0, skip = sent_;
    for (const iovec& part : parts_) {
        if (skip >= part.iov_len) {
            skip -= part.iov_len;
            continue;
        }
        parts[count++] = {static_cast<std::uint8_t*>(part.iov_base) + skip, part.iov_len - skip};
        skip = 0;
    }
    return count;
}

std::int32_t next_request_id() noexcept {
    static std::atomic<std::uint32_t> counter{0};
    std::uint32_t value;
    do value = (counter.fetch_add(1, std::memory_order_relaxed) + 1) & 0x7fffffffu;  // relaxed: only uniqueness counts
    while (value == 0);
    return static_cast<std::int32_t>(value);
}

std::size_t stated_length(const std::uint8_t* header, std::size_t largest) noexcept {
    const auto length = load_little<std::int32_t>(header);
    if (length < static_cast<std::int32_t>(message_header_size) || static_cast<std::size_t>(length) > largest) return 0;
    return static_cast<std::size_t>(length);
}

base::Status check_reply(const std::uint8_t* message, std::size_t size, std::int32_t request_id, ReplyBody& body) noexcept {
    using base::Status;
    body = {};
    if (size < message_header_size + 4) return Status::error("reply is shorter than a message header");
    if (load_little<std::int32_t>(message) < 0 ||
        static_cast<std::size_t>(load_little<std::int32_t>(message)) != size)
        return Status::error("reply length differs from its header");
    if (load_little<std::int32_t>(message + 12) != op_msg) return Status::error("reply has an unknown opcode", 12);
    if (load_little<std::int32_t>(message + 8) != request_id)
        return Status::error("reply answers another request", 8);
    body.flags = load_little<std::uint32_t>(message + 16);
    // The lower 16 bits are required: an unknown one changes the meaning of the message.
    if (body.flags & 0xffffu & ~(flag::checksum_present | flag::more_to_come))
        return Status::error("reply has unknown required flags", 16);
    if (body.flags & flag::more_to_come) return Status::error("reply announces further replies nobody asked for", 16);
    std::size_t end = size;
    if (body.flags & flag::checksum_present) {
        if (end < message_header_size + 4 + 4) return Status::error("reply has no room for its checksum", 16);
        end -= 4;
    }
    std::size_t at = message_header_size + 4;
    bool found = false;
    while (at < end) {
        const std::uint8_t kind = message[at++];
        if (end - at < 4) return Status::error("reply section is cut", at);
        const auto stated = load_little<std::int32_t>(message + at);
        if (stated < 5 || static_cast<std::size_t>(stated) > end - at)
            return Status::error("reply section has a wrong length", at);
        if (kind == 0) {
            if (found) return Status::error("reply has two body sections", at);
            if (message[at + static_cast<std::size_t>(stated) - 1] != 0)
                return Status::error("reply document is not terminated", at);
            found = true;
            body.offset = at;
            body.size = static_cast<std::size_t>(stated);
        } else if (kind != 1) {
            return Status::error("reply has a section of unknown kind", at - 1);
        }
        at += static_cast<std::size_t>(stated);
    }
    return found ? Status::ok() : Status::error("reply has no body section");
}

}  // namespace barewire::net::mongo
