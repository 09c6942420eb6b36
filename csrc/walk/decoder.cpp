// Documents, arrays and the common element types; rare types are in decoder_rare.cpp.
#include "walk/decoder.h"

#include <cstring>
#include <utility>

#include "py/guard.h"
#include "py/internals/dict_fill.h"
#include "py/text_build.h"
#include "walk/decode_errors.h"
#include "walk/instants.h"
#include "wire/bson/types.h"

namespace barewire::walk {

using base::load_little;
using py::Ref;
using wire::bson::Type;

namespace {

constexpr std::uint64_t bit(Type type) noexcept { return std::uint64_t{1} << (static_cast<unsigned>(type) & 63); }

// Values that hold no reference to anything that could refer back. Binary is missing: its instances take attributes.
constexpr std::uint64_t atoms = bit(Type::float64) | bit(Type::string) | bit(Type::undefined) | bit(Type::object_id) |
                                bit(Type::boolean) | bit(Type::datetime) | bit(Type::null) | bit(Type::symbol) |
                                bit(Type::int32) | bit(Type::timestamp) | bit(Type::int64) | bit(Type::decimal128);

std::size_t left(const std::uint8_t* at, const std::uint8_t* end) noexcept { return static_cast<std::size_t>(end - at); }

}  // namespace

Decoder::Decoder(DecodeContext& context)
    : context_(context),
      values_(load_values(context.kinds)),
      // On loan: user code that decodes while we do, and other threads, start with a cache of their own.
      cache_(std::exchange(context.kinds.decode_cache, nullptr)),
      has_decoders_(static_cast<bool>(context.options.decoder_map)) {
    if (!cache_) cache_ = std::make_shared<DecodeCache>();
    if (context.options.unicode_error_handler) errors_ = PyUnicode_AsUTF8(context.options.unicode_error_handler.get());
}

Decoder::~Decoder() {
    cache_->trim();
    context_.kinds.decode_cache = std::move(cache_);
}

PyObject* Decoder::malformed() const { return wrapped_invalid_bson(context_.kinds); }

PyObject* Decoder::document(const std::uint8_t* data, std::size_t size, Site& site) {
    if (BAREWIRE_UNLIKELY(context_.options.document_is_raw)) return raw_document(data, size);
    py::RecursionGuard guard(" while decoding a BSON document");
    if (BAREWIRE_UNLIKELY(!guard.entered())) return nullptr;
    const std::uint8_t* end = data + size - 1;
    if (BAREWIRE_UNLIKELY(!context_.options.document_is_dict)) return mapping(data + 4, end);
    bool has_dollar = false;
    return plain_dict(data + 4, end, site, has_dollar);
}

// Most documents have the keys of an earlier one: then a key is one comparison, and the dict is a clone of a pattern.
PyObject* Decoder::plain_dict(const std::uint8_t* at, const std::uint8_t* end, Site& site, bool& has_dollar) {
    HeldValues& held = cache_->values;
    const std::size_t base = held.size();
    std::uint64_t seen = 0;
    std::size_t matched = 0;
    Shape* shape = site.shapes[0];
    if (BAREWIRE_LIKELY(shape != nullptr)) {
        for (;;) {
            if (at == end || matched == shape->size() || !shape->keys[matched].stands_at(at + 1, end)) {
                if (at == end && matched == shape->size()) break;
                Shape* other = cache_->alternative(site, shape, matched, at, end);
                if (other == nullptr) return irregular_dict(shape, matched, base, seen, at, end, site, has_dollar);
                shape = other;
                if (at == end) break;
            }
            ShapeKey& expected = shape->keys[matched];
            const std::uint8_t type = *at;
            at += 1 + expected.size;
            PyObject* decoded = value(type, at, end, expected.name.get(), expected.below);
            if (BAREWIRE_UNLIKELY(decoded == nullptr)) {
                held.drop_to(base);
                return nullptr;
            }
            held.push(decoded);
            seen |= std::uint64_t{1} << (type & 63);
            ++matched;
        }
        cache_->hit(site);
        has_dollar = shape->has_dollar;
        PyObject* dict = shape->build(held, base, (seen & ~atoms) == 0 && !has_decoders_);
        if (BAREWIRE_LIKELY(dict != nullptr)) {
            held.forget_to(base);
        } else {
            held.drop_to(base);
        }
        return dict;
    }
    return irregular_dict(nullptr, 0, base, seen, at, end, site, has_dollar);
}

// The rest of a document that left its shape after `matched` keys; it may become a shape of its own.
PyObject* Decoder::irregular_dict(Shape* shape, std::size_t matched, std::size_t base, std::uint64_t seen,
                                  const std::uint8_t* at, const std::uint8_t* end, Site& site, bool& has_dollar) {
    HeldValues& held = cache_->values;
    Ref dict = Ref::steal(PyDict_New());
    if (!dict) {
        held.drop_to(base);
        return nullptr;
    }
    for (std::size_t i = 0; i < matched; ++i) {
        if (PyDict_SetItem(dict.get(), shape->keys[i].name.get(), held[base + i]) < 0) {
            held.drop_to(base);
            return nullptr;
        }
        has_dollar |= shape->keys[i].bytes[0] == '$';
    }
    held.drop_to(base);
    std::size_t count = matched;
    unsigned strangers = 0;
    while (at != end) {
        const std::uint8_t type = *at++;
        Ref own;
        has_dollar |= *at == '$';
        Site* below = &cache_->elsewhere;
        PyObject* name = nullptr;
        if (ShapeKey* expected = shape == nullptr ? nullptr : shape->ahead(matched, at, end)) {
            name = expected->name.get();
            below = &expected->below;
            at += expected->size;
        } else {
            // Keys in another order, or altogether others, are not worth looking for again and again.
            if (shape != nullptr && ++strangers == 3) shape = nullptr;
            name = key(at, end, own);
            if (BAREWIRE_UNLIKELY(name == nullptr)) return nullptr;
            // A borrowed name belongs to the cache, which the values below may overwrite.
            if (!own) own = Ref::share(name);
        }
        PyObject* decoded = value(type, at, end, name, *below);
        if (BAREWIRE_UNLIKELY(decoded == nullptr)) return nullptr;
        Ref taken = Ref::steal(decoded);
        if (PyDict_SetItem(dict.get(), name, decoded) < 0) return nullptr;
        seen |= std::uint64_t{1} << (type & 63);
        ++count;
    }
    // With an error handler a key need not have the bytes that its str has.
    if (errors_ == nullptr && count == static_cast<std::size_t>(PyDict_GET_SIZE(dict.get())) && cache_->wants_to_learn(site, count)) {
        cache_->learn(site, dict.get());
    }
    if ((seen & ~atoms) == 0 && !has_decoders_) py::untrack_dict_of_atoms(dict.get());
    return dict.release();
}

PyObject* Decoder::key(const std::uint8_t*& at, const std::uint8_t* end, Ref& own) {
    const void* nul = at < end ? std::memchr(at, 0, left(at, end)) : nullptr;
    if (BAREWIRE_UNLIKELY(nul == nullptr)) return invalid_bson(context_.kinds, "field name too large");
    const auto size = left(at, static_cast<const std::uint8_t*>(nul));
    PyObject* name = cache_->key(at, size, errors_, own);
    if (BAREWIRE_UNLIKELY(name == nullptr)) return malformed();
    at += size + 1;
    return name;
}

PyObject* Decoder::mapping(const std::uint8_t* at, const std::uint8_t* end) {
    Ref made = Ref::steal(PyObject_CallNoArgs(context_.options.document_class.get()));
    if (!made) return nullptr;
    while (at != end) {
        const std::uint8_t type = *at++;
        Ref own;
        PyObject* name = key(at, end, own);
        if (name == nullptr) return nullptr;
        if (!own) own = Ref::share(name);
        Ref decoded = Ref::steal(value(type, at, end, name, cache_->elsewhere));
        if (!decoded) return nullptr;
        if (PyObject_SetItem(made.get(), name, decoded.get()) < 0) return nullptr;
    }
    return made.release();
}

BAREWIRE_INLINE PyObject* Decoder::text(const std::uint8_t*& at, const std::uint8_t* end) {
    if (BAREWIRE_UNLIKELY(left(at, end) < 4)) return nullptr;
    const std::size_t size = load_little<std::uint32_t>(at);
    if (BAREWIRE_UNLIKELY(size == 0 || size > left(at, end) - 4 || at[4 + size - 1] != 0)) return nullptr;
    PyObject* made = py::text_from_utf8(at + 4, size - 1, errors_);
    at += 4 + size;
    return made;
}

PyObject* Decoder::value(std::uint8_t type, const std::uint8_t*& at, const std::uint8_t* end, PyObject* key, Site& site) {
    PyObject* decoded = native_value(type, at, end, key, site);
    if (BAREWIRE_UNLIKELY(decoded == nullptr)) return malformed();
    if (BAREWIRE_UNLIKELY(has_decoders_)) return with_decoder(decoded);
    return decoded;
}

BAREWIRE_INLINE PyObject* Decoder::native_value(std::uint8_t type, const std::uint8_t*& at, const std::uint8_t* end,
                                                PyObject* key, Site& site) {
    const std::uint8_t* const start = at;
    switch (static_cast<Type>(type)) {
        case Type::string:
        case Type::symbol: return text(at, end);
        case Type::int32:
            if (BAREWIRE_UNLIKELY(left(start, end) < 4)) return nullptr;
            at += 4;
            return PyLong_FromLong(load_little<std::int32_t>(start));
        case Type::int64:
            if (BAREWIRE_UNLIKELY(left(start, end) < 8)) return nullptr;
            at += 8;
            return new_int64(context_.kinds, *values_, load_little<std::int64_t>(start));
        case Type::float64:
            if (BAREWIRE_UNLIKELY(left(start, end) < 8)) return nullptr;
            at += 8;
            return PyFloat_FromDouble(base::load_little_double(start));
        case Type::boolean: {
            if (BAREWIRE_UNLIKELY(left(start, end) < 1)) return nullptr;
            if (BAREWIRE_UNLIKELY(*start > 1)) return invalid_boolean(context_.kinds, *start);
            at += 1;
            return Ref::share(*start ? Py_True : Py_False).release();
        }
        case Type::null:
        case Type::undefined: return Ref::none().release();
        case Type::object_id:
            if (BAREWIRE_UNLIKELY(left(start, end) < 12)) return nullptr;
            at += 12;
            return new_object_id(context_.kinds, *values_, start);
        case Type::datetime:
            if (BAREWIRE_UNLIKELY(left(start, end) < 8)) return nullptr;
            at += 8;
            return new_instant(context_.kinds, *values_, context_.options, load_little<std::int64_t>(start));
        case Type::document: return embedded(at, end, site);
        case Type::array: return array(at, end, key, site);
        case Type::binary: return binary(at, end);
        default: return rare_value(type, at, end, key);
    }
}

PyObject* Decoder::embedded(const std::uint8_t*& at, const std::uint8_t* end, Site& site) {
    const std::uint8_t* const start = at;
    if (left(start, end) < 5) return nullptr;
    const std::size_t size = load_little<std::uint32_t>(start);
    if (BAREWIRE_UNLIKELY(size < 5 || size > left(start, end) || start[size - 1] != 0)) return nullptr;
    at += size;
    if (BAREWIRE_UNLIKELY(!context_.options.document_is_dict)) {
        PyObject* made = document(start, size, site);
        if (made == nullptr || context_.options.document_is_raw) return made;
        return as_dbref(made);
    }
    py::RecursionGuard guard(" while decoding a BSON document");
    if (BAREWIRE_UNLIKELY(!guard.entered())) return nullptr;
    bool has_dollar = false;
    PyObject* dict = plain_dict(start + 4, start + size - 1, site, has_dollar);
    if (BAREWIRE_UNLIKELY(has_dollar && dict != nullptr)) return as_dbref(dict);
    return dict;
}

PyObject* Decoder::array(const std::uint8_t*& at, const std::uint8_t* end, PyObject* key, Site& site) {
    const std::uint8_t* const start = at;
    if (left(start, end) < 5) return nullptr;
    const std::size_t size = load_little<std::uint32_t>(start);
    if (BAREWIRE_UNLIKELY(size < 5 || size > left(start, end) || start[size - 1] != 0)) return nullptr;
    py::RecursionGuard guard(" while decoding a list value");
    if (BAREWIRE_UNLIKELY(!guard.entered())) return nullptr;
    HeldValues& held = cache_->values;
    const std::size_t base = held.size();
    const std::uint8_t* const array_end = start + size - 1;
    at = start + 4;
    while (at != array_end) {
        const std::uint8_t type = *at++;
        // Index keys are skipped unread, as bson does; most have one or two digits.
        while (at < array_end && *at != 0) ++at;
        PyObject* decoded = at < array_end ? value(type, ++at, array_end, key, site) : nullptr;
        if (BAREWIRE_UNLIKELY(decoded == nullptr)) {
            held.drop_to(base);
            return nullptr;
        }
        held.push(decoded);
    }
    const std::size_t count = held.size() - base;
    PyObject* list = PyList_New(static_cast<Py_ssize_t>(count));
    if (BAREWIRE_UNLIKELY(list == nullptr)) {
        held.drop_to(base);
        return nullptr;
    }
    for (std::size_t i = 0; i < count; ++i) PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), held[base + i]);
    held.forget_to(base);
    at = start + size;
    return list;
}

}  // namespace barewire::walk
