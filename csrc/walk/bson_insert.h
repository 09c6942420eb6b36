// Documents of an insert: each gets its "_id" and is appended as BSON, until a limit of the batch is reached.
#pragma once

#include <cstddef>

#include "py/python.h"
#include "py/ref.h"
#include "walk/bson_encode.h"

namespace barewire::walk {

// The caller's documents, taken one by one from a list or tuple in place or from any other iterable. A document that did
// not fit stays the current one.
class DocumentSource {
public:
    // False with TypeError set if the object cannot be iterated over.
    [[nodiscard]] bool open(PyObject* documents);

    // The current document; empty at the end or, with a Python error set, when the iterable raised.
    const py::Ref& current();
    void consume() noexcept {
        current_.reset();
        ++taken_;
    }
    // How many documents were consumed: also the position of the current one.
    std::size_t taken() const noexcept { return taken_; }
    // Of a list or tuple whether nothing is left; false for iterators, which cannot tell.
    bool known_empty() const noexcept;
    bool is_sequence() const noexcept { return !iterator_; }

private:
    py::Ref sequence_, iterator_, current_;
    std::size_t taken_ = 0;
    bool is_list_ = false;
};

struct InsertLimits {
    std::size_t documents;      // most documents in one batch (the server's maxWriteBatchSize)
    std::size_t bytes;          // most bytes appended by one batch
    std::size_t document_size;  // most bytes of one document; SIZE_MAX leaves that to the server
};

enum class InsertStop {
    exhausted,  // the source is empty
    documents,  // limit of documents reached
    bytes,      // the current document does not fit any more
    too_large,  // the current document fits no batch, or is over `document_size`
    failed      // Python error set; it is about the current document
};

struct InsertBatch {
    std::size_t documents = 0;      // consumed by this call
    InsertStop stop = InsertStop::exhausted;
    std::size_t too_large_size = 0; // bytes of the current document, if it is too large
};

struct InsertContext {
    EncodeContext& encode;
    bool write_back = true;     // put a new "_id" into the caller's document, as PyMongo does
    PyObject* ids = nullptr;    // list that gets the "_id" of every document but RawBSONDocument; nullptr: not wanted
};

// Appends documents to `context.encode.out` until something stops it. A document without "_id" gets a new ObjectId, which is
// written first. TypeError for a document that is no mutable mapping and no RawBSONDocument. Whatever was appended stays
// valid: a document that fails or does not fit leaves no bytes behind (a written-back "_id" stays in it).
InsertBatch encode_insert_batch(InsertContext& context, DocumentSource& source, const InsertLimits& limits);

}  // namespace barewire::walk
