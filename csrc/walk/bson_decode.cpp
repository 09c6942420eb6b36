// Entry points of the BSON decoder: checks of whole buffers before the walk begins.
#include "walk/bson_decode.h"

#include "base/bytes.h"
#include "py/guard.h"
#include "walk/decode_errors.h"
#include "walk/decoder.h"

namespace barewire::walk {

using base::load_little;
using py::Ref;

namespace {

constexpr std::size_t smallest_document = 5;

}  // namespace

Ref decode_document(DecodeContext& context, const std::uint8_t* data, std::size_t size) {
    Decoder decoder(context);
    if (!decoder.ready()) return {};
    auto refuse = [&](const char* text) { return Ref::steal(invalid_bson(context.kinds, text)); };
    if (size < smallest_document) return refuse("not enough data for a BSON document");
    const auto stated = load_little<std::int32_t>(data);
    if (stated < static_cast<std::int32_t>(smallest_document)) return refuse("invalid message size");
    if (size < static_cast<std::size_t>(stated) || size > 0x7fffffff) return refuse("objsize too large");
    if (size != static_cast<std::size_t>(stated) || data[size - 1] != 0) return refuse("bad eoo");
    py::CollectorPause pause(decoder.wants_pause(size));
    return Ref::steal(decoder.document(data, size, decoder.cache().top));
}

Ref decode_document_stream(DecodeContext& context, const std::uint8_t* data, std::size_t size) {
    Decoder decoder(context);
    if (!decoder.ready()) return {};
    Ref list = Ref::steal(PyList_New(0));
    if (!list) return {};
    auto refuse = [&](const char* text) { return Ref::steal(invalid_bson(context.kinds, text)); };
    py::CollectorPause pause(decoder.wants_pause(size));
    while (size != 0) {
        if (size < smallest_document) return refuse("not enough data for a BSON document");
        const auto stated = load_little<std::int32_t>(data);
        if (stated < static_cast<std::int32_t>(smallest_document)) return refuse("invalid message size");
        const auto length = static_cast<std::size_t>(stated);
        if (size < length) return refuse("objsize too large");
        if (data[length - 1] != 0) return refuse("bad eoo");
        Ref document = Ref::steal(decoder.document(data, length, decoder.cache().top));
        if (!document || PyList_Append(list.get(), document.get()) < 0) return {};
        data += length;
        size -= length;
    }
    return list;
}

bool decode_documents_into(DecodeContext& context, const std::uint8_t* array, std::size_t size, PyObject* list) {
    Decoder decoder(context);
    if (!decoder.ready()) return false;
    auto refuse = [&](const char* text) { return invalid_bson(context.kinds, text) != nullptr; };
    if (size < smallest_document || load_little<std::uint32_t>(array) != size || array[size - 1] != 0) {
        return refuse("bad eoo");
    }
    py::CollectorPause pause(decoder.wants_pause(size));
    const std::uint8_t* at = array + 4;
    const std::uint8_t* const end = array + size - 1;
    while (at != end) {
        if (*at != 3) return refuse("invalid length or type code");
        while (at < end && *at != 0) ++at;
        if (static_cast<std::size_t>(end - at) < 1 + smallest_document) return refuse("invalid length or type code");
        ++at;
        const std::size_t length = load_little<std::uint32_t>(at);
        if (length < smallest_document || length > static_cast<std::size_t>(end - at) || at[length - 1] != 0) {
            return refuse("invalid length or type code");
        }
        Ref document = Ref::steal(decoder.document(at, length, decoder.cache().top));
        if (!document || PyList_Append(list, document.get()) < 0) return false;
        at += length;
    }
    return true;
}

bool decode_elements_into(DecodeContext& context, const std::uint8_t* data, std::size_t position, std::size_t end,
                          bool raw_arrays, PyObject* mapping) {
    Decoder decoder(context);
    if (!decoder.ready()) return false;
    const std::uint8_t* at = data + position;
    const std::uint8_t* const stop = data + end;
    while (at < stop) {
        const std::uint8_t type = *at++;
        Ref own;
        PyObject* name = decoder.key(at, stop, own);
        if (name == nullptr) return false;
        if (!own) own = Ref::share(name);
        Ref value;
        if (raw_arrays && type == 4) {
            value = Ref::steal(decoder.raw_array(at, stop));
        } else {
            value = Ref::steal(decoder.value(type, at, stop, name, decoder.cache().elsewhere));
        }
        if (!value || PyObject_SetItem(mapping, name, value.get()) < 0) return false;
    }
    return true;
}

}  // namespace barewire::walk
