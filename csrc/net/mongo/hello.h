// What a server says of itself in its hello reply. Choosing between servers may not live here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/mongo/client.h"

namespace barewire::net::mongo {

// Immutable once published. Source: SDAM, "ServerDescription".
struct ServerDescription {
    std::string address;
    ServerType type = ServerType::unknown;
    std::int64_t round_trip_microseconds = -1;
    base::Buffer hello;
    std::string error;
    int error_code = 0;
    bool marked = false;          // unknown because one of our own connections met an error, not because a monitor said so
    // From the hello reply:
    std::vector<std::pair<std::string, std::string>> tags;
    std::int64_t last_write_milliseconds = 0;   // server's clock
    std::int64_t topology_counter = -1;         // topologyVersion.counter, -1: none
    std::uint8_t topology_process[12] = {};     // topologyVersion.processId
    std::int32_t session_timeout_minutes = 0;   // 0: no sessions
    std::int32_t min_wire_version = 0, max_wire_version = 0;

    bool data_bearing() const noexcept;
};

// The server's type as SDAM derives it.
ServerType type_of_hello(const std::uint8_t* document, std::size_t size) noexcept;
// libmongoc's names: "RSPrimary", "Standalone", ...
ServerType type_of_name(std::string_view name) noexcept;

// Facts for operations.
ServerFacts facts_of_hello(const std::string& address, const std::uint8_t* document, std::size_t size);
// Fills the fields of `description` that come from the reply and keeps a copy of it. False: malformed or no memory.
bool describe(ServerDescription& description, const std::uint8_t* document, std::size_t size);

}  // namespace barewire::net::mongo
