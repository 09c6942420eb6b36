// Binary, UUID, DBRef, regex, code, deprecated and raw types of the BSON decoder, and the type decoders of a registry.
#include <cstring>
#include <utility>

#include "py/text_build.h"
#include "walk/decode_errors.h"
#include "walk/decoder.h"
#include "wire/bson/types.h"

namespace barewire::walk {

using base::load_big;
using base::load_little;
using py::Ref;
using wire::bson::Subtype;
using wire::bson::Type;

namespace {

std::size_t left(const std::uint8_t* at, const std::uint8_t* end) noexcept { return static_cast<std::size_t>(end - at); }

// Offset of the first NUL, or `size` if there is none.
std::size_t find_nul(const std::uint8_t* at, std::size_t size) noexcept {
    const void* nul = size != 0 ? std::memchr(at, 0, size) : nullptr;
    return nul == nullptr ? size : static_cast<std::size_t>(static_cast<const std::uint8_t*>(nul) - at);
}

// re flags for BSON's option letters; unknown letters are ignored, as bson does.
int regex_flag(std::uint8_t letter) noexcept {
    switch (letter) {
        case 'i': return 2;
        case 'l': return 4;
        case 'm': return 8;
        case 's': return 16;
        case 'u': return 32;
        case 'x': return 64;
        default: return 0;
    }
}

// The 16 bytes of a UUID as its two halves in RFC 4122 order.
std::pair<std::uint64_t, std::uint64_t> uuid_halves(const std::uint8_t* at, UuidRepresentation representation) noexcept {
    switch (representation) {
        case UuidRepresentation::java_legacy:  // each half reversed
            return {load_little<std::uint64_t>(at), load_little<std::uint64_t>(at + 8)};
        case UuidRepresentation::csharp_legacy: {  // the first three fields little-endian
            const std::uint64_t first = load_little<std::uint32_t>(at), second = load_little<std::uint16_t>(at + 4),
                                third = load_little<std::uint16_t>(at + 6);
            return {first << 32 | second << 16 | third, load_big<std::uint64_t>(at + 8)};
        }
        default: return {load_big<std::uint64_t>(at), load_big<std::uint64_t>(at + 8)};
    }
}

}  // namespace

PyObject* Decoder::binary(const std::uint8_t*& at, const std::uint8_t* end) {
    const std::uint8_t* data = at;
    if (left(data, end) < 5) return nullptr;
    std::size_t size = load_little<std::uint32_t>(data);
    if (size > left(data, end) - 5) return nullptr;
    const std::uint8_t subtype = data[4];
    data += 5;
    at = data + size;
    switch (static_cast<Subtype>(subtype)) {
        case Subtype::generic:
            return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data), static_cast<Py_ssize_t>(size));
        case Subtype::old_binary:
            if (size < 4 || load_little<std::uint32_t>(data) != size - 4) return nullptr;
            data += 4;
            size -= 4;
            break;
        case Subtype::old_uuid:
        case Subtype::uuid: {
            const UuidRepresentation representation = context_.options.uuid_representation;
            const bool is_standard = representation == UuidRepresentation::standard;
            if (representation == UuidRepresentation::unspecified ||
                is_standard != (static_cast<Subtype>(subtype) == Subtype::uuid)) {
                break;
            }
            if (size != 16) {
                PyErr_Format(PyExc_ValueError, "cannot decode a uuid from a %zu-byte payload, expected 16", size);
                return nullptr;
            }
            const auto [high, low] = uuid_halves(data, representation);
            return new_uuid(context_.kinds, *values_, high, low);
        }
        default: break;
    }
    return new_binary(context_.kinds, *values_, data, size, subtype);
}

PyObject* Decoder::regex(const std::uint8_t*& at, const std::uint8_t* end) {
    const std::size_t room = left(at, end);
    const std::size_t pattern_size = find_nul(at, room);
    if (pattern_size == room) return nullptr;
    Ref pattern = Ref::steal(py::text_from_utf8(at, pattern_size, errors_));
    if (!pattern) return nullptr;
    const std::uint8_t* letters = at + pattern_size + 1;
    const std::size_t letters_size = find_nul(letters, left(letters, end));
    if (letters_size == left(letters, end)) return nullptr;
    // Only checked for UTF-8.
    Ref text = Ref::steal(py::text_from_utf8(letters, letters_size, errors_));
    if (!text) return nullptr;
    int flags = 0;
    for (std::size_t i = 0; i < letters_size; ++i) flags |= regex_flag(letters[i]);
    at = letters + letters_size + 1;
    return new_regex(*values_, std::move(pattern), flags);
}

PyObject* Decoder::pointer(const std::uint8_t*& at, const std::uint8_t* end) {
    if (left(at, end) < 4) return nullptr;
    const std::size_t size = load_little<std::uint32_t>(at);
    if (size == 0 || size > left(at, end) - 4 || left(at, end) - 4 - size < 12 || at[4 + size - 1] != 0) return nullptr;
    Ref collection = Ref::steal(py::text_from_utf8(at + 4, size - 1, errors_));
    if (!collection) return nullptr;
    Ref id = Ref::steal(new_object_id(context_.kinds, *values_, at + 4 + size));
    if (!id) return nullptr;
    at += 4 + size + 12;
    return new_dbref(*values_, std::move(collection), std::move(id), Ref::none(), Ref());
}

PyObject* Decoder::code_with_scope(const std::uint8_t*& at, const std::uint8_t* end) {
    const std::size_t room = left(at, end);
    if (room < 8) return nullptr;
    const std::size_t whole = load_little<std::uint32_t>(at), code_size = load_little<std::uint32_t>(at + 4);
    if (whole > room || code_size == 0 || code_size > room || 8 + code_size + 4 > room || at[8 + code_size - 1] != 0) {
        return nullptr;
    }
    Ref text = Ref::steal(py::text_from_utf8(at + 8, code_size - 1, errors_));
    if (!text) return nullptr;
    const std::uint8_t* scope_at = at + 8 + code_size;
    const std::size_t scope_size = load_little<std::uint32_t>(scope_at);
    if (scope_size < 5 || 8 + code_size + scope_size != whole || scope_at[scope_size - 1] != 0) return nullptr;
    Ref scope = Ref::steal(document(scope_at, scope_size, cache_->elsewhere));
    if (!scope) return nullptr;
    at += whole;
    PyObject* arguments[2] = {text.get(), scope.get()};
    return PyObject_Vectorcall(context_.kinds.code.get(), arguments, 2, nullptr);
}

PyObject* Decoder::rare_value(std::uint8_t type, const std::uint8_t*& at, const std::uint8_t* end, PyObject* key) {
    const std::uint8_t* const start = at;
    switch (static_cast<Type>(type)) {
        case Type::regex: return regex(at, end);
        case Type::db_pointer: return pointer(at, end);
        case Type::code_with_scope: return code_with_scope(at, end);
        case Type::code: {
            if (left(start, end) < 4) return nullptr;
            const std::size_t size = load_little<std::uint32_t>(start);
            if (size == 0 || size > left(start, end) - 4 || start[4 + size - 1] != 0) return nullptr;
            Ref text = Ref::steal(py::text_from_utf8(start + 4, size - 1, errors_));
            if (!text) return nullptr;
            at += 4 + size;
            return PyObject_CallOneArg(context_.kinds.code.get(), text.get());
        }
        case Type::timestamp:
            if (left(start, end) < 8) return nullptr;
            at += 8;
            return new_timestamp(*values_, load_little<std::uint32_t>(start + 4), load_little<std::uint32_t>(start));
        case Type::decimal128:
            if (left(start, end) < 16) return nullptr;
            at += 16;
            return new_decimal128(*values_, load_little<std::uint64_t>(start + 8), load_little<std::uint64_t>(start));
        case Type::min_key: return new_without_slots(values_->min_key);
        case Type::max_key: return new_without_slots(values_->max_key);
        default: return unknown_type(context_.kinds, type, key);
    }
}

PyObject* Decoder::with_decoder(PyObject* value) {
    Ref decoded = Ref::steal(value);
    PyObject* found = PyDict_GetItemWithError(context_.options.decoder_map.get(), reinterpret_cast<PyObject*>(Py_TYPE(value)));
    if (found == nullptr) return PyErr_Occurred() ? nullptr : decoded.release();
    Ref transform = Ref::share(found);
    return PyObject_CallOneArg(transform.get(), value);
}

// What `bson` makes of an embedded document: a DBRef if "$ref" and "$id" are there and "$ref" and "$db" are of the right
// types, else the document itself. Takes over the reference.
PyObject* Decoder::as_dbref(PyObject* document) {
    Ref whole = Ref::steal(document);
    Ref ref_key = Ref::steal(PyUnicode_InternFromString("$ref")), id_key = Ref::steal(PyUnicode_InternFromString("$id")),
        database_key = Ref::steal(PyUnicode_InternFromString("$db"));
    if (!ref_key || !id_key || !database_key) return nullptr;
    if (!PyMapping_HasKey(document, ref_key.get()) || !PyMapping_HasKey(document, id_key.get())) return whole.release();
    Ref collection = Ref::steal(PyObject_GetItem(document, ref_key.get()));
    if (!collection) return nullptr;
    Ref id = Ref::steal(PyObject_GetItem(document, id_key.get()));
    if (!id) return nullptr;
    const bool has_database = PyMapping_HasKey(document, database_key.get()) != 0;
    Ref database = has_database ? Ref::steal(PyObject_GetItem(document, database_key.get())) : Ref::none();
    if (!database) return nullptr;
    if (!PyUnicode_Check(collection.get()) || (database.get() != Py_None && !PyUnicode_Check(database.get()))) {
        return whole.release();
    }
    // Deleting from a mapping of the user's may fail; bson does not look.
    for (PyObject* name : {ref_key.get(), id_key.get(), has_database ? database_key.get() : nullptr}) {
        if (name != nullptr && PyObject_DelItem(document, name) < 0) return nullptr;
    }
    return new_dbref(*values_, std::move(collection), std::move(id), std::move(database), std::move(whole));
}

PyObject* Decoder::raw_array(const std::uint8_t*& at, const std::uint8_t* end) {
    const std::uint8_t* const start = at;
    const std::size_t size = left(start, end) < 5 ? 0 : load_little<std::uint32_t>(start);
    if (size < 5 || size > left(start, end) || start[size - 1] != 0) return malformed();
    at += size;
    return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(start), static_cast<Py_ssize_t>(size));
}

PyObject* Decoder::raw_document(const std::uint8_t* data, std::size_t size) {
    PyObject* owner = context_.owner;
    const auto length = static_cast<Py_ssize_t>(size);
    Ref raw;
    if (owner != nullptr && length == PyBytes_GET_SIZE(owner)) {
        raw = Ref::share(owner);
    } else if (owner != nullptr && values_->raw_view_threshold > 0 && length >= values_->raw_view_threshold) {
        // Only immutable bytes are viewed; anything else is copied, so that nobody can change the document later.
        const Py_ssize_t offset = data - reinterpret_cast<const std::uint8_t*>(PyBytes_AS_STRING(owner));
        Ref view = Ref::steal(PyMemoryView_FromObject(owner));
        if (view) raw = Ref::steal(PySequence_GetSlice(view.get(), offset, offset + length));
    } else {
        raw = Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data), length));
    }
    if (!raw) return nullptr;
    return new_raw_document(*values_, context_.options.document_class.get(), std::move(raw), context_.options.source.get());
}

}  // namespace barewire::walk
