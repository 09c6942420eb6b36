// BSON bytes -> Python objects; sizes, types and errors only, no Python-visible functions here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "py/python.h"
#include "py/ref.h"
#include "walk/kinds.h"
#include "walk/options.h"

namespace barewire::walk {

struct DecodeContext {
    Kinds& kinds;
    const CodecOptions& options;
};

// Decodes exactly one document of `size` bytes (its own length prefix must say the same). Empty with the error that
// `bson` raises (InvalidBSON and the like). The bytes may be foreign: every length is checked.
py::Ref decode_document(DecodeContext& context, const std::uint8_t* data, std::size_t size);

// Decodes a BSON array's bytes whose elements are all documents into a list (or onto the end of an existing list).
[[nodiscard]] bool decode_documents_into(DecodeContext& context, const std::uint8_t* array, std::size_t size, PyObject* list);

}  // namespace barewire::walk
