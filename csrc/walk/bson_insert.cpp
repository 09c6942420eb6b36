// The loop over the documents of an insert and what happens to their "_id"; values are encoded by the walker.
#include "walk/bson_insert.h"

#include <cstring>
#include <utility>

#include "py/compat.h"
#include "py/internals/list.h"
#include "walk/encoder.h"
#include "walk/hook.h"
#include "walk/marked.h"
#include "walk/object_id.h"
#include "wire/bson/oid.h"
#include "wire/bson/writer.h"

namespace barewire::walk {

namespace bson = wire::bson;

bool DocumentSource::open(PyObject* documents) {
    taken_ = 0;
    current_.reset();
    iterator_.reset();
    is_list_ = PyList_CheckExact(documents);
    if (is_list_ || PyTuple_CheckExact(documents)) {
        sequence_ = py::Ref::share(documents);
        return true;
    }
    iterator_ = py::Ref::steal(PyObject_GetIter(documents));
    return static_cast<bool>(iterator_);
}

bool DocumentSource::known_empty() const noexcept {
    if (iterator_ || current_) return false;
    py::Items items = is_list_ ? py::list_items(sequence_.get()) : py::tuple_items(sequence_.get());
    return taken_ >= static_cast<std::size_t>(items.size);
}

const py::Ref& DocumentSource::current() {
    if (current_) return current_;
    if (iterator_) {
        current_ = py::Ref::steal(PyIter_Next(iterator_.get()));
        return current_;
    }
    // The list is read again each time: user code may have changed it.
    py::Items items = is_list_ ? py::list_items(sequence_.get()) : py::tuple_items(sequence_.get());
    if (taken_ < static_cast<std::size_t>(items.size)) current_ = py::Ref::share(items.data[taken_]);
    return current_;
}

namespace {

// Ids of one block share a reading of the clock; documents of a generator may come at any pace and get one each.
constexpr std::uint32_t ids_per_block = 256;

class IdSource {
public:
    explicit IdSource(bool in_blocks) noexcept : block_size_(in_blocks ? ids_per_block : 1) {}
    bson::ObjectIdBytes next() noexcept {
        if (left_ == 0) {
            block_ = bson::ObjectIdGenerator::instance().take(block_size_);
            left_ = block_size_;
        }
        --left_;
        return block_.next();
    }

private:
    bson::ObjectIdBlock block_;
    std::uint32_t block_size_;
    std::uint32_t left_ = 0;
};

BAREWIRE_COLD bool fail_document_type() {
    PyErr_SetString(PyExc_TypeError,
                    "document must be an instance of dict, bson.son.SON, bson.raw_bson.RawBSONDocument, or a type that "
                    "inherits from collections.MutableMapping");
    return false;
}

// Type byte, key and value of a new "_id".
bool write_new_id(Encoder& encoder, const bson::ObjectIdBytes& bytes) {
    if (!encoder.reserve(5 + bytes.size())) return false;
    std::uint8_t* at = encoder.tail();
    std::memcpy(at, "\x07_id", 5);
    std::memcpy(at + 5, bytes.data(), bytes.size());
    encoder.advance(5 + bytes.size());
    return true;
}

class InsertWalk {
public:
    InsertWalk(InsertContext& context, bool in_blocks) : context_(context), kinds_(context.encode.kinds), ids_(in_blocks) {}

    // Appends one document; `id` gets its "_id" if the caller wants it (empty for raw documents).
    bool append(Encoder& encoder, PyObject* document, py::Ref& id) {
        if (BAREWIRE_LIKELY(PyDict_CheckExact(document))) return append_dict(encoder, document, id);
        return append_mapping(encoder, document, id);
    }

private:
    bool wants_object() const noexcept { return context_.write_back || context_.ids != nullptr; }

    bool append_dict(Encoder& encoder, PyObject* document, py::Ref& id) {
        const std::size_t start = encoder.size();
        if (!encoder.reserve(4)) return false;
        encoder.advance(4);
        PyObject* key = kinds_.id_key.get();
        PyObject* existing = py::dict_get(document, key);
        if (existing != nullptr) {
            py::Ref held = py::Ref::share(existing);
            if (context_.ids != nullptr) id = held.copy();
            if (!write_named(encoder, "_id", 3, held.get())) return false;
        } else {
            if (BAREWIRE_UNLIKELY(PyErr_Occurred() != nullptr)) return false;
            bson::ObjectIdBytes bytes = ids_.next();
            if (!write_new_id(encoder, bytes)) return false;
            if (wants_object()) {
                id = make_object_id(kinds_, bytes.data());
                if (!id) return false;
                if (context_.write_back && PyDict_SetItem(document, key, id.get()) < 0) return false;
            }
        }
        if (BAREWIRE_UNLIKELY(!write_dict_elements(encoder, document, true))) {
            wrap_invalid_document(encoder, document);
            return false;
        }
        return finish_document(encoder, start);
    }

    // Dict subclasses, other mappings and raw documents: through their own methods.
    BAREWIRE_NOINLINE bool append_mapping(Encoder& encoder, PyObject* document, py::Ref& id) {
        ++encoder.user_code;
        int is_raw = PyObject_IsInstance(document, kinds_.raw_document.get());
        if (is_raw < 0) return false;
        if (is_raw) return write_raw(encoder, document);
        int is_mapping = PyObject_IsInstance(document, kinds_.mutable_mapping.get());
        if (is_mapping < 0) return false;
        if (!is_mapping) return fail_document_type();

        PyObject* key = kinds_.id_key.get();
        int present = PySequence_Contains(document, key);
        if (present < 0) return false;
        if (present) {
            if (context_.ids != nullptr) {
                id = py::Ref::steal(PyObject_GetItem(document, key));
                if (!id) return false;
            }
            return write_document(encoder, document, true);
        }
        bson::ObjectIdBytes bytes = ids_.next();
        if (wants_object()) {
            id = make_object_id(kinds_, bytes.data());
            if (!id) return false;
        }
        if (context_.write_back) {
            return PyObject_SetItem(document, key, id.get()) == 0 && write_document(encoder, document, true);
        }
        const std::size_t start = encoder.size();
        if (!encoder.reserve(4)) return false;
        encoder.advance(4);
        if (!write_new_id(encoder, bytes)) return false;
        const bool written = PyDict_Check(document) ? write_dict_elements(encoder, document, true)
                                                    : write_mapping_elements(encoder, document, true);
        if (!written) {
            wrap_invalid_document(encoder, document);
            return false;
        }
        return finish_document(encoder, start);
    }

    InsertContext& context_;
    Kinds& kinds_;
    IdSource ids_;
};

}  // namespace

InsertBatch encode_insert_batch(InsertContext& context, DocumentSource& source, const InsertLimits& limits) {
    InsertWalk walk(context, source.is_sequence());
    Encoder encoder(context.encode);
    const std::size_t begin = encoder.size();
    InsertBatch batch;
    // Undoes the current document and hands what was written to the buffer.
    auto stopped = [&](InsertStop why) {
        encoder.cut_back(encoder.begin);
        encoder.flush();
        batch.stop = why;
        return batch;
    };
    while (batch.documents < limits.documents) {
        const py::Ref& document = source.current();
        if (!document) return stopped(PyErr_Occurred() ? InsertStop::failed : InsertStop::exhausted);
        py::Ref id;
        if (BAREWIRE_UNLIKELY(!walk.append(encoder, document.get(), id))) {
            encoder.path.annotate();
            return stopped(InsertStop::failed);
        }
        const std::size_t size = encoder.size() - encoder.begin;
        const bool fits = encoder.size() - begin <= limits.bytes;
        if (BAREWIRE_UNLIKELY(size > limits.document_size || !fits)) {
            if (size <= limits.document_size && batch.documents > 0) return stopped(InsertStop::bytes);
            batch.too_large_size = size;
            return stopped(InsertStop::too_large);
        }
        if (context.ids != nullptr && id && PyList_Append(context.ids, id.get()) < 0) {
            return stopped(InsertStop::failed);
        }
        encoder.begin = encoder.size();
        source.consume();
        ++batch.documents;
    }
    return stopped(source.known_empty() ? InsertStop::exhausted : InsertStop::documents);
}

}  // namespace barewire::walk
