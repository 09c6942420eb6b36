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
    // The bytes object (or subclass) that the data lies in, if it does: large RawBSONDocuments then keep a view of it, as
    // bson's do. nullptr: they get bytes of their own.
    PyObject* owner = nullptr;
};

// Decodes exactly one document of `size` bytes (its own length prefix must say the same). Empty with the error that
// `bson` raises (InvalidBSON and the like). The bytes may be foreign: every length is checked.
py::Ref decode_document(DecodeContext& context, const std::uint8_t* data, std::size_t size);

// Decodes documents that lie back to back into a new list, with the garbage collector paused.
py::Ref decode_document_stream(DecodeContext& context, const std::uint8_t* data, std::size_t size);

// Decodes a BSON array's bytes whose elements are all documents into a list (or onto the end of an existing list).
[[nodiscard]] bool decode_documents_into(DecodeContext& context, const std::uint8_t* array, std::size_t size, PyObject* list);

// Decodes the elements of the document that begins before `position` and whose terminator is at `end` into `mapping`, as
// bson._cbson._raw_to_dict does. With `raw_arrays` arrays are kept as bytes.
[[nodiscard]] bool decode_elements_into(DecodeContext& context, const std::uint8_t* data, std::size_t position,
                                        std::size_t end, bool raw_arrays, PyObject* mapping);

}  // namespace barewire::walk
