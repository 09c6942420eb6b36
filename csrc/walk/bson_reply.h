// Replies of the server -> Python objects: batches of a cursor, or a whole reply, decoded where they lie.
#pragma once

#include <cstdint>
#include <span>

#include "py/python.h"
#include "py/ref.h"
#include "walk/bson_decode.h"

namespace barewire::walk {

// All return an empty Ref with the error that `bson` raises. RawBSONDocuments get bytes of their own, so the reply may be
// overwritten afterwards.

// The documents of a batch (the array `firstBatch` or `nextBatch`, see wire/bson/reply.h) as a list; an empty span gives an
// empty list.
py::Ref decode_batch(DecodeContext& context, std::span<const std::uint8_t> documents);

// The first document of a batch, or None if the batch is empty; the rest is not looked at.
py::Ref decode_first_of_batch(DecodeContext& context, std::span<const std::uint8_t> documents);

// The tuple (documents, cursor id, namespace) of a reply; InvalidBSON if it has no cursor.
py::Ref decode_cursor_batch(DecodeContext& context, std::span<const std::uint8_t> reply);

// A whole reply. Without type decoders it is decoded with the options as it is. With type decoders they apply only to
// `cursor.firstBatch` and `cursor.nextBatch`, as in PyMongo (bson._decode_all_selective).
py::Ref decode_reply(DecodeContext& context, std::span<const std::uint8_t> reply);

}  // namespace barewire::walk
