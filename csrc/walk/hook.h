// The general way of encoding a value: the only place of the encoder from which user code may run.
#pragma once

#include <cstddef>

#include "py/python.h"
#include "walk/encoder.h"

namespace barewire::walk {

// How far custom encoders have been asked already; each is asked once in a row.
struct Asked {
    bool encoder = false;
    bool fallback = false;
};

// Appends a value of any type: `_type_marker`, subclasses of the built-in types, mappings, UUIDs, then the encoders of the
// TypeRegistry. InvalidDocument "cannot encode object: ..." if nothing fits.
[[nodiscard]] bool write_any(Encoder& encoder, std::size_t type_at, PyObject* value, Asked asked);

// Appends a document that is not a dict: RawBSONDocument or any Mapping. TypeError for anything else.
[[nodiscard]] bool write_mapping_document(Encoder& encoder, PyObject* document, bool top_level);

// Appends the elements of a Mapping that is not a dict, by iterating over it and looking every key up.
[[nodiscard]] bool write_mapping_elements(Encoder& encoder, PyObject* mapping, bool top_level);

// Errors about keys, as `bson` words them.
BAREWIRE_COLD bool fail_key_type(Encoder& encoder, PyObject* key);
BAREWIRE_COLD bool fail_key_nul(Encoder& encoder);
// False with InvalidDocument set if a key starts with `$` or contains `.`.
[[nodiscard]] bool check_key(Encoder& encoder, const char* key, std::size_t size);

// Gives an InvalidDocument that is being raised the prefix "Invalid document: " and its `document`.
BAREWIRE_COLD void wrap_invalid_document(Encoder& encoder, PyObject* document);

}  // namespace barewire::walk
