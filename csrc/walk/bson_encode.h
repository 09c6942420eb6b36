// Python mapping -> BSON bytes, appended to a buffer; sizes, types and errors only, no Python-visible functions here.
#pragma once

#include "base/buffer.h"
#include "py/python.h"
#include "walk/kinds.h"
#include "walk/options.h"

namespace barewire::walk {

struct EncodeContext {
    Kinds& kinds;
    const CodecOptions& options;
    base::Buffer& out;
    bool check_keys = false;
};

// Appends one whole document (length prefix and terminator included). With `id_first` a top-level "_id" is written
// before all other keys, as `bson` does. On failure false with the Python error that `bson` raises, and `out` is cut
// back to the size it had.
[[nodiscard]] bool encode_document(EncodeContext& context, PyObject* document, bool id_first);

// Appends only the elements (no length prefix, no terminator): for a command body that others complete.
[[nodiscard]] bool encode_elements(EncodeContext& context, PyObject* document);

}  // namespace barewire::walk
