// The deployment as seen at one moment; immutable and shared. Rules for choosing a server live in selection.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/mongo/hello.h"

namespace barewire::net::mongo {

enum class TopologyType : std::uint8_t { unknown, single, no_primary, with_primary, sharded, load_balanced };

struct Snapshot {
    std::uint64_t epoch = 0;
    TopologyType type = TopologyType::unknown;
    std::string type_name = "Unknown";
    std::vector<std::shared_ptr<const ServerDescription>> servers;
    std::int32_t session_timeout_minutes = 0;   // the smallest of the data-bearing servers'

    const ServerDescription* find(std::string_view address) const noexcept {
        for (const auto& server : servers)
            if (server->address == address) return server.get();
        return nullptr;
    }
};

}  // namespace barewire::net::mongo
