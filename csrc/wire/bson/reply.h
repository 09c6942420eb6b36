// What a driver needs from a command reply before anything is decoded: the cursor and its batch.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wire/bson/reader.h"

namespace barewire::wire::bson {

// `cursor` of a reply to find, aggregate, getMore and the like; everything points into the reply.
struct CursorBatch {
    std::int64_t id = 0;       // 0: exhausted
    std::string_view ns;       // "database.collection"
    DocumentBytes documents;   // the array firstBatch or nextBatch; empty span if there is neither
};

// Nothing if the reply has no document called "cursor", or is malformed before or inside it.
std::optional<CursorBatch> find_cursor_batch(DocumentBytes reply) noexcept;

}  // namespace barewire::wire::bson
