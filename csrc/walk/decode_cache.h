// What one decoder remembers between documents: interned keys, shapes of documents, a stack of values under construction.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/macros.h"
#include "py/python.h"
#include "py/ref.h"

namespace barewire::walk {

// Owned references to values whose container does not exist yet. Recursive walkers use it as a stack of frames.
class HeldValues {
public:
    HeldValues() = default;
    ~HeldValues() { drop_to(0); }
    HeldValues(const HeldValues&) = delete;
    HeldValues& operator=(const HeldValues&) = delete;

    std::size_t size() const noexcept { return values_.size(); }
    // Takes over the reference.
    BAREWIRE_INLINE void push(PyObject* value) { values_.push_back(value); }
    PyObject* operator[](std::size_t index) const noexcept { return values_[index]; }
    // Forgets everything from `size` on, whose references have been handed over.
    void forget_to(std::size_t size) noexcept { values_.resize(size); }
    // Releases everything from `size` on.
    void drop_to(std::size_t size) noexcept {
        while (values_.size() > size) {
            py::Ref dropped = py::Ref::steal(values_.back());
            values_.pop_back();
        }
    }

    // Gives memory back that one large array needed.
    void trim() {
        drop_to(0);
        if (values_.capacity() > most_kept) std::vector<PyObject*>().swap(values_);
    }

private:
    static constexpr std::size_t most_kept = 16384;
    std::vector<PyObject*> values_;
};

class Shape;

// A place where documents come from (the top level, or one key of a shape) and the shapes seen there lately.
struct Site {
    static constexpr std::size_t most = 4;
    std::array<Shape*, most> shapes{};  // most recently used first
    // Learning costs as much as several documents, so it must have paid before it goes on: shapes that may still be
    // learned, and matches and misses since the last one was.
    std::uint16_t credit = most;
    std::uint16_t hits = 0;
    std::uint16_t misses = 0;
};

// A key as it appears in a document: its bytes with the NUL, and the str to use for it.
struct ShapeKey {
    py::Ref name;
    const std::uint8_t* bytes = nullptr;  // inside `name`
    std::uint32_t size = 0;               // with the NUL
    std::uint64_t head = 0;               // the first bytes, zero-filled, and which of the eight count
    std::uint64_t head_mask = 0;
    Site below;                           // documents under this key, in arrays too

    // True if the key stands at `at`; reads no further than `end`.
    BAREWIRE_INLINE bool stands_at(const std::uint8_t* at, const std::uint8_t* end) const noexcept {
        const auto left = static_cast<std::size_t>(end - at);
        if (BAREWIRE_LIKELY(left >= 8)) {
            std::uint64_t word;
            std::memcpy(&word, at, 8);
            if ((word & head_mask) != head) return false;
            return size <= 8 || (size <= left && std::memcmp(at + 8, bytes + 8, size - 8) == 0);
        }
        return size <= left && std::memcmp(at, bytes, size) == 0;
    }
};

// The keys of documents that look alike, in order, and a dict of them to clone.
class Shape {
public:
    static constexpr std::size_t most_keys = 64;

    std::vector<ShapeKey> keys;
    py::Ref pattern;            // dict of the keys with None as every value; empty: insert key by key
    bool has_dollar = false;    // some key begins with '$'

    std::size_t size() const noexcept { return keys.size(); }
    // The key at `at` if it is one of the next few from `next` on: fields are left out more often than they are new.
    // `next` moves behind it.
    BAREWIRE_INLINE ShapeKey* ahead(std::size_t& next, const std::uint8_t* at, const std::uint8_t* end) noexcept {
        for (std::size_t i = next; i < keys.size() && i < next + 4; ++i) {
            if (!keys[i].stands_at(at, end)) continue;
            next = i + 1;
            return &keys[i];
        }
        return nullptr;
    }
    // A new dict of the keys, taking over `count` == size() references from `values`, which are kept on failure.
    // `atoms`: no value can ever be part of a reference cycle.
    PyObject* build(const HeldValues& values, std::size_t base, bool atoms) const;
};

class DecodeCache {
public:
    HeldValues values;
    Site top;
    Site elsewhere;  // documents under keys that belong to no shape

    // The str for the key of `size` bytes at `at`, borrowed from the cache, or in `own` if it was not kept there.
    // nullptr with a Python error set. `errors` is the Unicode error handler, nullptr for strict.
    PyObject* key(const std::uint8_t* at, std::size_t size, const char* errors, py::Ref& own);

    // Another shape of the site that has the same first `count` keys as `tried` and continues with the key at `at`, or ends
    // there if `at == end`; nullptr if there is none. Moves what it finds to the front.
    Shape* alternative(Site& site, const Shape* tried, std::size_t count, const std::uint8_t* at, const std::uint8_t* end);
    BAREWIRE_INLINE void hit(Site& site) noexcept {
        if (BAREWIRE_UNLIKELY(++site.hits == 64)) {
            site.hits = 0;
            if (site.credit < Site::most) ++site.credit;
        }
    }
    // Called after a document matched no shape of the site. `dict` is what was built from it without any duplicate key.
    void learn(Site& site, PyObject* dict);
    bool wants_to_learn(Site& site, std::size_t keys) noexcept;

    // Gives memory back after documents that were out of the ordinary.
    void trim();

private:
    struct KeyEntry {
        py::Ref name;
        const std::uint8_t* bytes = nullptr;
        std::uint32_t size = 0;
        std::uint32_t hits = 0;
    };
    static constexpr std::size_t key_entries = 1024;
    static constexpr std::size_t longest_key = 64;
    static constexpr std::size_t most_shapes = 512;

    std::unique_ptr<KeyEntry[]> keys_;
    unsigned lookups_ = 0, found_ = 0, bypass_ = 0;
    std::vector<std::unique_ptr<Shape>> shapes_;
};

}  // namespace barewire::walk
