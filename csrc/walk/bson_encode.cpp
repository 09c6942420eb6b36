// The hot walk: exact dicts, lists and tuples with the built-in types inside; everything else goes to walk/hook.
#include "walk/bson_encode.h"

#include <climits>
#include <cstring>

#include "py/compat.h"
#include "py/internals/dict.h"
#include "py/internals/integer.h"
#include "py/internals/list.h"
#include "py/internals/text.h"
#include "walk/encoder.h"
#include "walk/hook.h"
#include "walk/scalar.h"
#include "walk/zoned.h"
#include "wire/bson/writer.h"

namespace barewire::walk {

namespace bson = wire::bson;
using bson::Type;

bool Encoder::fail_size() noexcept {
    PyErr_SetString(PyExc_ValueError, "Document would overflow BSON size limit");
    return false;
}

bool Encoder::grow(std::size_t extra) noexcept {
    flush();
    if (out_.size() - begin + extra > bson::max_document_size) return fail_size();
    const bool grown = out_.reserve(extra);
    attach();
    if (!grown) PyErr_NoMemory();
    return grown;
}

namespace {

// A key that comes from the user: looked through for NUL while it is copied.
struct UserKey {
    static constexpr std::size_t slack = 0;
    const char* data;
    std::size_t size;
    BAREWIRE_INLINE bool put(std::uint8_t* at) const noexcept { return bson::copy_key(at, data, size); }
    bool has_nul() const noexcept { return std::memchr(data, 0, size) != nullptr; }
};

// A key of ours.
struct OwnKey {
    static constexpr std::size_t slack = 0;
    const char* data;
    std::size_t size;
    BAREWIRE_INLINE bool put(std::uint8_t* at) const noexcept {
        bson::copy_bytes(at, data, size);
        return true;
    }
    bool has_nul() const noexcept { return false; }
};

// The key of an array element.
struct ArrayKey {
    static constexpr std::size_t slack = bson::IndexKey::slack;
    const bson::IndexKey& index;
    std::size_t size;
    BAREWIRE_INLINE bool put(std::uint8_t* at) const noexcept {
        index.put(at);
        return true;
    }
    bool has_nul() const noexcept { return false; }
};

// Writes a built-in value of fixed size at `at`, where 16 bytes are free, and its type byte at `type_at`; the end, or nullptr
// if it is none of these.
BAREWIRE_INLINE std::uint8_t* put_small(std::uint8_t* type_at, std::uint8_t* at, PyObject* value,
                                        PyTypeObject* type) noexcept {
    if (type == &PyLong_Type) {
        std::int64_t number = 0;
        if (BAREWIRE_UNLIKELY(!py::int64_value(value, number))) return nullptr;
        if (BAREWIRE_LIKELY(number == static_cast<std::int32_t>(number))) {
            bson::put(type_at, Type::int32);
            return bson::put(at, static_cast<std::int32_t>(number));
        }
        bson::put(type_at, Type::int64);
        return bson::put(at, number);
    }
    if (type == &PyFloat_Type) {
        bson::put(type_at, Type::float64);
        return bson::put(at, PyFloat_AS_DOUBLE(value));
    }
    if (type == &PyBool_Type) {
        bson::put(type_at, Type::boolean);
        *at = value == Py_True;
        return at + 1;
    }
    if (value == Py_None) {
        bson::put(type_at, Type::null);
        return at;
    }
    return nullptr;
}

// Everything that is not text and not of fixed size; key and placeholder of the type byte are written.
BAREWIRE_NOINLINE bool write_other(Encoder& encoder, std::size_t type_at, PyObject* value) {
    PyTypeObject* type = Py_TYPE(value);
    const bool is_dict = type == &PyDict_Type;
    if (is_dict || type == &PyList_Type || type == &PyTuple_Type) {
        py::RecursionLevel level(encoder.recursion);
        if (!level.entered()) return false;
        py::Ref held = py::Ref::share(value);
        encoder.set_type(type_at, is_dict ? Type::document : Type::array);
        if (!is_dict) return write_array(encoder, value);
        const std::size_t start = encoder.size();
        if (!encoder.reserve(4)) return false;
        encoder.advance(4);
        return write_dict_elements(encoder, value, false) && finish_document(encoder, start);
    }
    if (type == &PyBytes_Type) return write_bytes(encoder, type_at, value);
    const Kind kind = encoder.kinds.kind_of(type);
    if (BAREWIRE_LIKELY(kind != Kind::unknown)) {
        Outcome outcome = write_known(encoder, type_at, value, kind);
        if (BAREWIRE_LIKELY(outcome != Outcome::other)) return outcome == Outcome::done;
        if (kind == Kind::datetime) return write_zoned(encoder, type_at, value);
    }
    return write_any(encoder, type_at, value, {});
}

// How an element was written: in place, through functions that may have run user code, or not (Python error set).
enum class Element { in_place, called, failed };

constexpr Element failed_unless(bool written) noexcept { return written ? Element::called : Element::failed; }

// A text without UTF-8 form or of 2 GiB; an error of its key comes first.
BAREWIRE_COLD Element fail_text(Encoder& encoder, bool key_has_nul, py::Utf8 text) {
    if (key_has_nul) {
        PyErr_Clear();
        return failed_unless(fail_key_nul(encoder));
    }
    return failed_unless(text.data != nullptr && check_text_size(encoder, text.size, INT_MAX - 1));
}

// One element. `out` grows only if the key is good.
template <class Key>
BAREWIRE_INLINE Element write_element(Encoder& encoder, const Key& key, PyObject* value) {
    PyTypeObject* type = Py_TYPE(value);
    if (type == &PyUnicode_Type) {
        py::Utf8 text = py::utf8(value);
        if (BAREWIRE_UNLIKELY(text.data == nullptr || text.size >= INT_MAX)) {
            return fail_text(encoder, key.has_nul(), text);
        }
        const auto size = static_cast<std::size_t>(text.size);
        if (BAREWIRE_UNLIKELY(!encoder.reserve(key.size + size + 7 + Key::slack))) return Element::failed;
        std::uint8_t* at = encoder.tail();
        if (BAREWIRE_UNLIKELY(!key.put(at + 1))) return failed_unless(fail_key_nul(encoder));
        bson::put(at, Type::string);
        at[key.size + 1] = 0;
        encoder.advance_to(bson::put_text(at + key.size + 2, text.data, size));
        return Element::in_place;
    }
    if (BAREWIRE_UNLIKELY(!encoder.reserve(key.size + 2 + bson::max_scalar_size + Key::slack))) return Element::failed;
    std::uint8_t* start = encoder.tail();
    if (BAREWIRE_UNLIKELY(!key.put(start + 1))) return failed_unless(fail_key_nul(encoder));
    std::uint8_t* at = start + key.size + 1;
    *at++ = 0;
    std::uint8_t* end = put_small(start, at, value, type);
    if (BAREWIRE_LIKELY(end != nullptr)) {
        encoder.advance_to(end);
        return Element::in_place;
    }
    const std::size_t type_at = encoder.size();
    *start = 0;
    encoder.advance_to(at);
    return failed_unless(write_other(encoder, type_at, value));
}

// Notes where the walk stood when an element failed. The key is read from the output, because user code may have dropped
// the object it came from.
BAREWIRE_COLD bool fail_at_key(Encoder& encoder, std::size_t element) {
    if (encoder.size() > element) {
        encoder.path.leave_key(reinterpret_cast<const char*>(encoder.data() + element + 1));
    }
    return false;
}

BAREWIRE_COLD bool fail_size_changed(const char* text) {
    PyErr_SetString(PyExc_RuntimeError, text);
    return false;
}

BAREWIRE_INLINE bool is_id(const py::Utf8& key) noexcept {
    return key.size == 3 && std::memcmp(key.data, "_id", 3) == 0;
}

// Writes "_id" of a top-level dict before everything else, if it has one.
BAREWIRE_INLINE bool write_id_first(Encoder& encoder, PyObject* dict) {
    PyObject* id = py::dict_get(dict, encoder.kinds.id_key.get());
    if (id == nullptr) {
        if (BAREWIRE_UNLIKELY(PyErr_Occurred() != nullptr)) PyErr_Clear();  // keys with odd __eq__: as `bson`
        return true;
    }
    py::Ref held = py::Ref::share(id);
    return write_named(encoder, "_id", 3, id);
}

}  // namespace

bool write_value(Encoder& encoder, std::size_t type_at, PyObject* value) {
    if (Py_TYPE(value) == &PyUnicode_Type) {
        encoder.set_type(type_at, Type::string);
        return write_text(encoder, value);
    }
    if (!encoder.reserve(bson::max_scalar_size)) return false;
    std::uint8_t* start = encoder.tail();
    std::uint8_t* end = put_small(encoder.data() + type_at, start, value, Py_TYPE(value));
    if (end == nullptr) return write_other(encoder, type_at, value);
    encoder.advance(static_cast<std::size_t>(end - start));
    return true;
}

bool write_dict_elements(Encoder& encoder, PyObject* dict, bool skip_id) {
    py::DictCursor cursor(dict);
    PyObject *key = nullptr, *value = nullptr;
    std::uint64_t seen = encoder.user_code;
    while (cursor.next(key, value)) {
        if (BAREWIRE_UNLIKELY(!PyUnicode_CheckExact(key) && !PyUnicode_Check(key))) return fail_key_type(encoder, key);
        py::Utf8 name = py::utf8(key);
        if (BAREWIRE_UNLIKELY(name.data == nullptr || name.size >= INT_MAX)) {
            return name.data != nullptr && check_text_size(encoder, name.size, INT_MAX - 1);
        }
        if (skip_id && is_id(name)) continue;
        const auto size = static_cast<std::size_t>(name.size);
        if (BAREWIRE_UNLIKELY(encoder.check_keys) && !check_key(encoder, name.data, size)) return false;
        const std::size_t element = encoder.size();
        const Element written = write_element(encoder, UserKey{name.data, size}, value);
        if (BAREWIRE_LIKELY(written == Element::in_place)) continue;
        if (BAREWIRE_UNLIKELY(written == Element::failed)) return fail_at_key(encoder, element);
        if (BAREWIRE_UNLIKELY(encoder.user_code != seen)) {
            seen = encoder.user_code;
            if (!cursor.resync()) return fail_size_changed("dictionary changed size during iteration");
        }
    }
    return true;
}

bool write_array(Encoder& encoder, PyObject* sequence) {
    const std::size_t start = encoder.size();
    if (!encoder.reserve(4)) return false;
    encoder.advance(4);
    const bool is_list = PyList_Check(sequence);
    py::Items items = is_list ? py::list_items(sequence) : py::tuple_items(sequence);
    std::uint64_t seen = encoder.user_code;
    bson::IndexKey key;
    for (Py_ssize_t i = 0; i < items.size; ++i, key.increment()) {
        const Element written = write_element(encoder, ArrayKey{key, key.size()}, items.data[i]);
        if (BAREWIRE_LIKELY(written == Element::in_place)) continue;
        if (BAREWIRE_UNLIKELY(written == Element::failed)) {
            encoder.path.leave_index(static_cast<std::size_t>(i));
            return false;
        }
        if (BAREWIRE_UNLIKELY(encoder.user_code != seen)) {
            seen = encoder.user_code;
            py::Items now = is_list ? py::list_items(sequence) : py::tuple_items(sequence);
            if (now.size != items.size) return fail_size_changed("list changed size during iteration");
            items = now;
        }
    }
    return finish_document(encoder, start);
}

bool write_named(Encoder& encoder, const char* key, std::size_t size, PyObject* value) {
    const std::size_t element = encoder.size();
    return write_element(encoder, OwnKey{key, size}, value) != Element::failed || fail_at_key(encoder, element);
}

bool write_pair(Encoder& encoder, PyObject* key, PyObject* value, bool skip_id) {
    if (!PyUnicode_Check(key)) return fail_key_type(encoder, key);
    py::Utf8 name = py::utf8(key);
    if (name.data == nullptr || !check_text_size(encoder, name.size, INT_MAX - 1)) return false;
    if (skip_id && is_id(name)) return true;
    const auto size = static_cast<std::size_t>(name.size);
    if (encoder.check_keys && !check_key(encoder, name.data, size)) return false;
    const std::size_t element = encoder.size();
    return write_element(encoder, UserKey{name.data, size}, value) != Element::failed || fail_at_key(encoder, element);
}

bool write_document(Encoder& encoder, PyObject* document, bool top_level) {
    if (BAREWIRE_UNLIKELY(!PyDict_Check(document))) return write_mapping_document(encoder, document, top_level);
    const std::size_t start = encoder.size();
    if (!encoder.reserve(4)) return false;
    encoder.advance(4);
    if (top_level && !write_id_first(encoder, document)) return false;
    if (BAREWIRE_UNLIKELY(!write_dict_elements(encoder, document, top_level))) {
        if (top_level) wrap_invalid_document(encoder, document);
        return false;
    }
    return finish_document(encoder, start);
}

bool encode_document(EncodeContext& context, PyObject* document, bool id_first) {
    Encoder encoder(context);
    if (BAREWIRE_LIKELY(write_document(encoder, document, id_first))) {
        encoder.flush();
        return true;
    }
    context.out.truncate(encoder.begin);
    encoder.path.annotate();
    return false;
}

bool encode_elements(EncodeContext& context, PyObject* document) {
    Encoder encoder(context);
    const bool written = PyDict_Check(document) ? write_dict_elements(encoder, document, false)
                                                : write_mapping_elements(encoder, document, false);
    if (BAREWIRE_LIKELY(written)) {
        encoder.flush();
        return true;
    }
    context.out.truncate(encoder.begin);
    encoder.path.annotate();
    return false;
}

}  // namespace barewire::walk
