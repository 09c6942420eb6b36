// Which server an operation goes to. Source: Server Selection specification. No waiting here.
#pragma once

#include "net/mongo/operation.h"
#include "net/mongo/snapshot.h"

namespace barewire::net::mongo {

// A suitable server of the snapshot, picked at random among equals within the latency window; nullptr: none now.
// `avoided`: the server a retry should not go to again if there is another one.
const ServerDescription* select_server(const Snapshot& snapshot, const Operation& operation, Clock::duration local_threshold,
                                       std::string_view avoided = {}) noexcept;

// Whether this operation must carry `$readPreference` to that server, and which document.
const base::Buffer* read_preference_to_send(TopologyType type, ServerType server, const Operation& operation) noexcept;

// Text for a selection that ran out of time: each server's error, as PyMongo puts it.
std::string selection_error(const Snapshot& snapshot, const Operation& operation);

}  // namespace barewire::net::mongo
