// Key table and shapes of a decoder: looking up, learning and forgetting.
#include "walk/decode_cache.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "py/internals/dict_fill.h"
#include "py/text_build.h"

namespace barewire::walk {

using py::Ref;

PyObject* DecodeCache::key(const std::uint8_t* at, std::size_t size, const char* errors, Ref& own) {
    KeyEntry* entry = nullptr;
    if (size != 0 && size <= longest_key) {
        if (BAREWIRE_UNLIKELY(bypass_ != 0)) {
            --bypass_;
        } else {
            if (!keys_) keys_ = std::make_unique<KeyEntry[]>(key_entries);
            // Documents whose keys hardly ever come back (maps keyed by data) are cheaper without the cache.
            if (++lookups_ == 4096) {
                if (found_ < 1024) bypass_ = 65536;
                lookups_ = found_ = 0;
            }
            entry = &keys_[base::hash_bytes(at, size) % key_entries];
            if (BAREWIRE_LIKELY(entry->size == size && std::memcmp(entry->bytes, at, size) == 0)) {
                ++found_;
                // Interned only when it has proved to come back: interned strings may live as long as the process.
                if (BAREWIRE_UNLIKELY(++entry->hits == 8)) {
                    PyObject* name = entry->name.release();
                    PyUnicode_InternInPlace(&name);
                    entry->name = Ref::steal(name);
                    Py_ssize_t length = 0;
                    entry->bytes = reinterpret_cast<const std::uint8_t*>(PyUnicode_AsUTF8AndSize(name, &length));
                    if (entry->bytes == nullptr) {
                        entry->size = 0;
                        return nullptr;
                    }
                }
                return entry->name.get();
            }
        }
    }
    // Without a handler first, so that what is kept does not depend on one.
    own = Ref::steal(py::text_from_utf8(at, size, nullptr));
    if (!own) {
        if (errors == nullptr || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) return nullptr;
        PyErr_Clear();
        own = Ref::steal(py::text_from_utf8(at, size, errors));
        return own.get();
    }
    if (entry != nullptr) {
        Py_ssize_t length = 0;
        const char* bytes = PyUnicode_AsUTF8AndSize(own.get(), &length);
        if (bytes == nullptr) return nullptr;
        entry->size = 0;
        entry->name = std::move(own);
        entry->bytes = reinterpret_cast<const std::uint8_t*>(bytes);
        entry->size = static_cast<std::uint32_t>(size);
        entry->hits = 0;
        return entry->name.get();
    }
    return own.get();
}

Shape* DecodeCache::alternative(Site& site, const Shape* tried, std::size_t count, const std::uint8_t* at,
                                const std::uint8_t* end) {
    for (std::size_t i = 0; i < Site::most && site.shapes[i] != nullptr; ++i) {
        Shape* shape = site.shapes[i];
        if (shape == tried || shape->size() < count) continue;
        if (at == end ? shape->size() != count : shape->size() == count || !shape->keys[count].stands_at(at + 1, end)) {
            continue;
        }
        bool same = true;
        for (std::size_t k = 0; same && k < count; ++k) {
            const ShapeKey &ours = shape->keys[k], &theirs = tried->keys[k];
            same = ours.name.get() == theirs.name.get() ||
                   (ours.size == theirs.size && std::memcmp(ours.bytes, theirs.bytes, ours.size) == 0);
        }
        if (!same) continue;
        std::rotate(site.shapes.begin(), site.shapes.begin() + static_cast<std::ptrdiff_t>(i),
                    site.shapes.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        return shape;
    }
    return nullptr;
}

bool DecodeCache::wants_to_learn(Site& site, std::size_t keys) noexcept {
    if (keys == 0 || keys > Shape::most_keys || shapes_.size() >= most_shapes) return false;
    if (site.credit == 0) {
        if (++site.misses < 1024) return false;
        site.misses = 0;
        return true;
    }
    --site.credit;
    return true;
}

void DecodeCache::learn(Site& site, PyObject* dict) {
    auto shape = std::make_unique<Shape>();
    shape->keys.reserve(static_cast<std::size_t>(PyDict_GET_SIZE(dict)));
    Ref pattern = Ref::steal(PyDict_New());
    if (!pattern) {
        PyErr_Clear();
        return;
    }
    std::array<PyObject*, Shape::most_keys> names;
    Py_ssize_t position = 0;
    PyObject *name = nullptr, *value = nullptr;
    while (PyDict_Next(dict, &position, &name, &value)) {
        // One object for equal keys of all shapes; it is interned, so a caller's literal is that object too.
        Ref interned = Ref::share(name);
        PyObject* raw = interned.release();
        PyUnicode_InternInPlace(&raw);
        interned = Ref::steal(raw);
        Py_ssize_t length = 0;
        const char* bytes = PyUnicode_AsUTF8AndSize(raw, &length);
        if (bytes == nullptr || PyDict_SetItem(pattern.get(), raw, Py_None) < 0) {
            PyErr_Clear();
            return;
        }
        ShapeKey key;
        key.bytes = reinterpret_cast<const std::uint8_t*>(bytes);
        key.size = static_cast<std::uint32_t>(length) + 1;
        const std::size_t counted = key.size < 8 ? key.size : 8;
        std::memset(&key.head_mask, 0xff, counted);
        std::memcpy(&key.head, bytes, counted);
        shape->has_dollar |= bytes[0] == '$';
        names[shape->keys.size()] = raw;
        key.name = std::move(interned);
        shape->keys.push_back(std::move(key));
    }
    Ref copy = Ref::steal(PyDict_Copy(pattern.get()));
    if (!copy) {
        PyErr_Clear();
        return;
    }
    if (py::confirm_value_slots(copy.get(), names.data(), static_cast<Py_ssize_t>(shape->size()), Py_True)) {
        shape->pattern = std::move(pattern);
    }
    std::rotate(site.shapes.begin(), site.shapes.end() - 1, site.shapes.end());
    site.shapes[0] = shape.get();
    shapes_.push_back(std::move(shape));
}

void DecodeCache::trim() {
    values.trim();
    if (shapes_.size() >= most_shapes) {
        top = elsewhere = Site{};
        shapes_.clear();
    }
}

PyObject* Shape::build(const HeldValues& values, std::size_t base, bool atoms) const {
    if (BAREWIRE_LIKELY(static_cast<bool>(pattern))) {
        PyObject* dict = PyDict_Copy(pattern.get());
        if (dict == nullptr) return nullptr;
        const std::size_t count = keys.size();
        py::ValueSlots slots = py::value_slots(dict, static_cast<Py_ssize_t>(count));
        if (BAREWIRE_LIKELY(static_cast<bool>(slots))) {
            for (std::size_t i = 0; i < count; ++i) {
                Ref none = Ref::steal(slots[i]);
                slots[i] = values[base + i];
            }
            if (!atoms && !PyObject_GC_IsTracked(dict)) PyObject_GC_Track(dict);
            return dict;
        }
        Ref dropped = Ref::steal(dict);
    }
    Ref dict = Ref::steal(PyDict_New());
    if (!dict) return nullptr;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (PyDict_SetItem(dict.get(), keys[i].name.get(), values[base + i]) < 0) return nullptr;
    }
    // The dict has taken references of its own.
    for (std::size_t i = 0; i < keys.size(); ++i) Ref dropped = Ref::steal(values[base + i]);
    if (atoms) py::untrack_dict_of_atoms(dict.get());
    return dict.release();
}

}  // namespace barewire::walk
