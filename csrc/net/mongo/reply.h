// What the engine must know of a reply: success, code, labels, cluster time. Values for users are read elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace barewire::net::mongo {

// Views point into the reply.
struct ReplyPeek {
    bool readable = false;        // false: the document is malformed
    bool ok = false;
    std::int32_t code = 0;        // of the command; 0: none
    std::string_view message;
    std::int32_t write_concern_code = 0;   // of writeConcernError; 0: none
    std::string_view write_concern_message;
    bool retryable_write = false;          // error label RetryableWriteError, at top level or in writeConcernError
    bool no_writes_performed = false;      // error label NoWritesPerformed
    const std::uint8_t* cluster_time = nullptr;
    std::size_t cluster_time_size = 0;
    const std::uint8_t* topology_process = nullptr;   // topologyVersion.processId, 12 bytes
    std::int64_t topology_counter = -1;               // topologyVersion.counter
};

ReplyPeek peek(const std::uint8_t* document, std::size_t size) noexcept;

// Code tables. Source: Retryable Reads, "Retryable Error"; SDAM, "not writable primary" and "node is recovering".
bool retryable_read_code(std::int32_t code) noexcept;
bool retryable_write_code(std::int32_t code) noexcept;
bool not_writable_primary_code(std::int32_t code) noexcept;
bool node_is_recovering_code(std::int32_t code) noexcept;
bool shutdown_code(std::int32_t code) noexcept;

// True when the server that sent this can no longer be used as it was known: a state change error.
bool state_change_error(const ReplyPeek& reply) noexcept;

}  // namespace barewire::net::mongo
