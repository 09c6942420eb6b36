// Single elements: measured without Python, then decoded from a copy that has a terminator behind it.
#include "walk/bson_element.h"

#include <cstring>
#include <new>
#include <span>

#include "base/buffer.h"
#include "walk/decode_errors.h"
#include "wire/bson/reader.h"

namespace barewire::walk {

namespace {

using py::Ref;
namespace bson = wire::bson;

// Where the element ends, or `end` if its value is malformed: the decoder then says why.
std::size_t end_of_element(const std::uint8_t* data, std::size_t position, std::size_t end) {
    const auto* nul = static_cast<const std::uint8_t*>(std::memchr(data + position + 1, 0, end - position - 1));
    if (nul == nullptr) return end;
    const auto value = static_cast<std::size_t>(nul + 1 - data);
    std::size_t size = 0;
    if (!bson::measure_value(static_cast<bson::Type>(data[position]), {data + value, end - value}, size)) return end;
    return value + size;
}

}  // namespace

bool decode_element(DecodeContext& context, const std::uint8_t* data, std::size_t position, std::size_t end,
                    bool raw_array, DecodedElement& out) {
    if (!context.kinds.resolve()) return false;
    if (position >= end) {
        invalid_bson(context.kinds, "field name too large");
        return false;
    }
    out.end = end_of_element(data, position, end);
    base::Buffer copy;
    if (!copy.append(data + position, out.end - position) || !copy.append("", 1)) {
        PyErr_NoMemory();
        return false;
    }
    Ref found = Ref::steal(PyDict_New());
    if (!found) return false;
    // Values may not refer to the copy, so there is no owner.
    DecodeContext own{context.kinds, context.options};
    if (!decode_elements_into(own, copy.data(), 0, copy.size() - 1, raw_array, found.get())) return false;
    PyObject *key = nullptr, *value = nullptr;
    Py_ssize_t at = 0;
    if (!PyDict_Next(found.get(), &at, &key, &value)) {
        invalid_bson(context.kinds, "field name too large");
        return false;
    }
    out.key = Ref::share(key);
    out.value = Ref::share(value);
    return true;
}

}  // namespace barewire::walk
