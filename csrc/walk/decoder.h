// The walker over one BSON document: one object per call, holding what all its functions need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/macros.h"
#include "py/python.h"
#include "py/ref.h"
#include "walk/bson_decode.h"
#include "walk/decode_cache.h"
#include "walk/values.h"

namespace barewire::walk {

// Every function that returns PyObject* returns a new reference, or nullptr with a Python error set.
// `at` is where to read and moves on; `end` is the terminator of the innermost document, so that a read below `end` is
// always inside the buffer.
class Decoder {
public:
    explicit Decoder(DecodeContext& context);
    ~Decoder();
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;
    // False with a Python error set: value types could not be loaded.
    bool ready() const noexcept { return values_ != nullptr; }

    // A document whose size and terminator have been checked.
    PyObject* document(const std::uint8_t* data, std::size_t size, Site& site);
    // The value of one element; without raw arrays it has gone through the type decoders.
    PyObject* value(std::uint8_t type, const std::uint8_t*& at, const std::uint8_t* end, PyObject* key, Site& site);
    // The bytes of an array, undecoded.
    PyObject* raw_array(const std::uint8_t*& at, const std::uint8_t* end);
    // Finds the NUL of the key at `at`, which is followed by something; moves behind it.
    PyObject* key(const std::uint8_t*& at, const std::uint8_t* end, py::Ref& own);

    // Whether the collector should be paused: not for small documents, and not where user code may run in between, which
    // could switch the collector itself or let other threads do so.
    bool wants_pause(std::size_t size) const noexcept {
        return size >= 4096 && context_.options.document_is_dict && !has_decoders_ && !context_.options.tzinfo;
    }
    DecodeCache& cache() noexcept { return *cache_; }
    const Kinds& kinds() const noexcept { return context_.kinds; }

private:
    PyObject* plain_dict(const std::uint8_t* at, const std::uint8_t* end, Site& site, bool& has_dollar);
    PyObject* irregular_dict(Shape* shape, std::size_t matched, std::size_t base, std::uint64_t seen,
                             const std::uint8_t* at, const std::uint8_t* end, Site& site, bool& has_dollar);
    PyObject* mapping(const std::uint8_t* at, const std::uint8_t* end);
    PyObject* raw_document(const std::uint8_t* data, std::size_t size);

    PyObject* native_value(std::uint8_t type, const std::uint8_t*& at, const std::uint8_t* end, PyObject* key, Site& site);
    PyObject* rare_value(std::uint8_t type, const std::uint8_t*& at, const std::uint8_t* end, PyObject* key);
    PyObject* embedded(const std::uint8_t*& at, const std::uint8_t* end, Site& site);
    PyObject* array(const std::uint8_t*& at, const std::uint8_t* end, PyObject* key, Site& site);
    PyObject* binary(const std::uint8_t*& at, const std::uint8_t* end);
    PyObject* regex(const std::uint8_t*& at, const std::uint8_t* end);
    PyObject* pointer(const std::uint8_t*& at, const std::uint8_t* end);
    PyObject* code_with_scope(const std::uint8_t*& at, const std::uint8_t* end);
    PyObject* text(const std::uint8_t*& at, const std::uint8_t* end);
    PyObject* with_decoder(PyObject* value);
    PyObject* as_dbref(PyObject* document);
    PyObject* malformed() const;

    DecodeContext& context_;
    const Values* values_;
    std::shared_ptr<DecodeCache> cache_;
    const char* errors_ = nullptr;  // Unicode error handler; nullptr: strict
    bool has_decoders_;
};

}  // namespace barewire::walk
