// json and jsonb: our own parser where json.loads is asked for, else the session's function.
#include <memory>
#include <utility>

#include "walk/json_parse.h"
#include "walk/pg_decoder.h"

namespace barewire::walk {

using py::Ref;

namespace {

// On loan, so that a decoder in another thread, or one called by user code, starts with a cache of its own.
class BorrowedCache {
public:
    explicit BorrowedCache(PgKinds& kinds) : kinds_(kinds), cache_(std::move(kinds.decode_cache)) {
        if (!cache_) cache_ = std::make_shared<DecodeCache>();
    }
    ~BorrowedCache() {
        cache_->trim();
        kinds_.decode_cache = std::move(cache_);
    }
    BorrowedCache(const BorrowedCache&) = delete;
    BorrowedCache& operator=(const BorrowedCache&) = delete;
    DecodeCache& operator*() noexcept { return *cache_; }

private:
    PgKinds& kinds_;
    std::shared_ptr<DecodeCache> cache_;
};

}  // namespace

PyObject* read_pg_json(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    if (type.kind == PgKind::jsonb) {
        if (size < 1 || *data != 1) return fail_pg_bytes(decoding, type);
        ++data;
        --size;
    }
    return read_pg_json_text(decoding, data, size);
}

PyObject* read_pg_json_text(PgDecoding& decoding, const std::uint8_t* data, std::size_t size) {
    PyObject* loads = decoding.settings.json_loads.get();
    if (loads == nullptr || loads == decoding.kinds.json_loads.get()) {
        loads = decoding.kinds.json_loads.get();
        if (decoding.settings.encoding.empty()) {
            BorrowedCache cache(decoding.kinds);
            PyObject* parsed = nullptr;
            const JsonOutcome outcome = parse_json(*cache, data, size, parsed);
            if (BAREWIRE_LIKELY(outcome != JsonOutcome::unusual)) return parsed;
        }
    }
    Ref bytes = Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data), static_cast<Py_ssize_t>(size)));
    return bytes ? PyObject_CallOneArg(loads, bytes.get()) : nullptr;
}

}  // namespace barewire::walk
