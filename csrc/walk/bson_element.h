// One element of a BSON document -> key and value; for callers that step through a document themselves.
#pragma once

#include <cstddef>
#include <cstdint>

#include "py/python.h"
#include "py/ref.h"
#include "walk/bson_decode.h"

namespace barewire::walk {

struct DecodedElement {
    py::Ref key, value;
    std::size_t end = 0;  // position behind the element
};

// Decodes the element that begins at `position` and ends before `end`; both lie inside the data. With `raw_array` an array
// is kept as its bytes. False with the error that `bson` raises.
[[nodiscard]] bool decode_element(DecodeContext& context, const std::uint8_t* data, std::size_t position, std::size_t end,
                                  bool raw_array, DecodedElement& out);

}  // namespace barewire::walk
