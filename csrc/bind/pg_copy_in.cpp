// COPY FROM STDIN: blocks taken from an iterable, or rows written as COPY BINARY, while earlier ones are on their way.
#include <new>
#include <utility>

#include "bind/pg_copy.h"
#include "bind/pg_query.h"
#include "py/compat.h"
#include "walk/pg_copy_rows.h"

namespace barewire::bind {

using net::pg::Next;
using py::Ref;

namespace {

constexpr std::size_t block_size = std::size_t{128} << 10;

}  // namespace

CopyInCall* CopyInCall::make(PyObject* connection, PyObject* statement) {
    const char* text = nullptr;
    std::size_t size = 0;
    if (!statement_text(statement, text, size)) return nullptr;
    auto* call = new (std::nothrow) CopyInCall(connection);
    if (call == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    call->text = text;
    call->statement_ = Ref::share(statement);
    return call;
}

CopyInCall* CopyInCall::of_blocks(PyObject* connection, PyObject* statement, PyObject* blocks) {
    CallOwner<CopyInCall> call(make(connection, statement));
    if (!call) return nullptr;
    call->iterator_ = Ref::steal(PyObject_GetIter(blocks));
    return call->iterator_ ? call.release() : nullptr;
}

CopyInCall* CopyInCall::of_records(PyObject* connection, PyObject* statement, PyObject* oids, PyObject* columns,
                                   PyObject* records) {
    CallOwner<CopyInCall> call(make(connection, statement));
    try {
        std::vector<walk::PgColumn> made;
        if (!call || !read_columns(session_of(connection), oids, columns, made) || !call->set_records(records)) return nullptr;
        for (const walk::PgColumn& column : made) {
            if (column.type->binary) continue;
            raise_psycopg("NotSupportedError", "column %R: the type %s has no binary form that is known: use copy_from",
                          column.name.get(), column.type->name.c_str());
            return nullptr;
        }
        call->writer_ = std::make_unique<walk::PgRowWriter>(std::move(made), true);
        return call.release();
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return nullptr;
    }
}

bool read_columns(PgSession& session, PyObject* oids, PyObject* names, std::vector<walk::PgColumn>& out) {
    Ref name_list = Ref::steal(PySequence_Tuple(names)), oid_list = Ref::steal(PySequence_Tuple(oids));
    if (!name_list || !oid_list) return false;
    const Py_ssize_t count = PyTuple_GET_SIZE(oid_list.get());
    if (count != PyTuple_GET_SIZE(name_list.get()) || count > 0x7fff) {
        PyErr_SetString(PyExc_ValueError, "there must be as many types as columns, at most 32767");
        return false;
    }
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* name = PyTuple_GET_ITEM(name_list.get(), i);
        const unsigned long oid = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(oid_list.get(), i));
        if (oid == static_cast<unsigned long>(-1) && PyErr_Occurred() != nullptr) return false;
        if (!PyUnicode_CheckExact(name)) {
            PyErr_SetString(PyExc_TypeError, "a column's name must be a str");
            return false;
        }
        PyObject* interned = Ref::share(name).release();
        PyUnicode_InternInPlace(&interned);
        out.push_back({&session.profile->types->get(static_cast<std::uint32_t>(oid)), Ref::steal(interned)});
    }
    return true;
}

Next CopyInCall::block(const std::uint8_t*& data, std::size_t& size) noexcept {
    if (given_up()) return Next::refuse;
    InsideLink mark(session());
    Next answer = Next::refuse;
    try {
        answer = writer_ ? take_records(data, size) : take_block(data, size);
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    if (answer == Next::refuse && PyErr_Occurred() != nullptr) keep_error();
    return given_up() ? Next::refuse : answer;
}

Next CopyInCall::take_block(const std::uint8_t*& data, std::size_t& size) {
    view_.reset();
    do {
        viewed_ = Ref::steal(PyIter_Next(iterator_.get()));
        if (!viewed_) return PyErr_Occurred() != nullptr ? Next::refuse : Next::end;
        view_ = std::make_unique<py::BufferView>();
        if (!view_->acquire(viewed_.get())) return Next::refuse;
    } while (view_->size() == 0);
    data = view_->data();
    size = static_cast<std::size_t>(view_->size());
    return Next::item;
}

// --- rows --------------------------------------------------------------------------------------------------------------
bool CopyInCall::set_records(PyObject* records) {
    part_ = row_part_of(*session().profile->module, records);
    if (part_ == nullptr) return source_.open(records);
    part_object_ = Ref::share(records);
    return true;
}

walk::PgRowsStop CopyInCall::write_rows(walk::PgEncoding& encoding) {
    if (part_ == nullptr) return writer_->append_rows(encoding, source_, buffer_, block_size);
    SharedRows& rows = *part_->rows;
    if (rows.exhausted && !rows.stopped) return walk::PgRowsStop::exhausted;
    RowTurn turn(*part_);
    if (!turn.enter(true)) return walk::PgRowsStop::failed;
    const walk::PgRowsStop stop = writer_->append_rows(encoding, rows.source, buffer_, block_size);
    if (stop == walk::PgRowsStop::exhausted) rows.exhausted = true;
    if (stop == walk::PgRowsStop::failed) rows.stopped = true;
    return stop;
}

Next CopyInCall::take_records(const std::uint8_t*& data, std::size_t& size) {
    if (ended_) return Next::end;
    buffer_.clear();
    walk::PgEncoding encoding = session().encoding();
    if (!begun_ && !walk::PgRowWriter::append_header(buffer_)) throw std::bad_alloc();
    begun_ = true;
    switch (write_rows(encoding)) {
        case walk::PgRowsStop::failed: return Next::refuse;
        case walk::PgRowsStop::full: break;
        case walk::PgRowsStop::exhausted:
            ended_ = true;
            if (!walk::PgRowWriter::append_trailer(buffer_)) throw std::bad_alloc();
            break;
    }
    data = buffer_.data();
    size = buffer_.size();
    return Next::item;
}

Ref CopyInCall::value() {
    return Ref::steal(PyUnicode_DecodeUTF8(tag.data(), static_cast<Py_ssize_t>(tag.size()), "replace"));
}

}  // namespace barewire::bind
