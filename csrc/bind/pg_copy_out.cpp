// COPY TO STDOUT: blocks handed to Python, or rows decoded from COPY BINARY while they arrive.
#include <new>
#include <utility>

#include "bind/pg_copy.h"
#include "bind/pg_query.h"

namespace barewire::bind {

using net::pg::Answer;
using py::Ref;

namespace {

constexpr std::size_t block_size = std::size_t{64} << 10;

}  // namespace

CopyOutCall* CopyOutCall::make(PyObject* connection, PyObject* statement, PyObject* output, PyObject* columns,
                               PyObject* rows) {
    const char* text = nullptr;
    std::size_t size = 0;
    if (!statement_text(statement, text, size)) return nullptr;
    auto* made = new (std::nothrow) CopyOutCall(connection);
    if (made == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    CallOwner<CopyOutCall> call(made);
    PgSession& session = session_of(connection);
    call->text = text;
    call->statement_ = Ref::share(statement);
    call->shape_ = session.profile->shape;
    if (!read_shape(*session.profile->module, rows, call->shape_)) return nullptr;
    if (output != nullptr && output != Py_None) call->output_ = Ref::share(output);
    try {
        if (!call->output_ && columns != nullptr && columns != Py_None && !call->set_columns(columns)) return nullptr;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return nullptr;
    }
    return call.release();
}

bool CopyOutCall::set_columns(PyObject* columns) {
    Ref held = Ref::steal(PySequence_Tuple(columns));
    list_ = Ref::steal(PyList_New(0));
    if (!held || !list_) return false;
    PgSession& inner = session();
    std::vector<walk::PgRowPlan::Column> types;
    std::vector<Ref> names;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(held.get()); ++i) {
        PyObject* name = nullptr;
        unsigned int oid = 0;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(held.get(), i), "UI", &name, &oid)) return false;
        const walk::PgType& type = inner.profile->types->get(oid);
        if (!type.binary) {
            raise_psycopg("NotSupportedError", "column %R has a type without a binary form that is known: use fetch", name);
            return false;
        }
        zoned_ = zoned_ || depends_on_zone(type);
        types.push_back({&type, false});
        names.push_back(Ref::share(name));
    }
    plan_ = std::make_unique<walk::PgRowPlan>();
    return plan_->prepare(inner.profile->module->pg_kinds, std::move(types), std::move(names));
}

Answer CopyOutCall::data(const std::uint8_t* bytes, std::size_t size) noexcept {
    if (given_up()) return Answer::stop;
    InsideLink mark(session());
    bool good = false;
    try {
        if (plan_) {
            good = take_rows(bytes, size);
        } else {
            good = gathered_.append(bytes, size);
            if (!good) PyErr_NoMemory();
            if (good && output_ && gathered_.size() >= block_size) good = hand_over();
        }
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    }
    if (good) return given_up() ? Answer::stop : Answer::more;
    keep_error();
    return Answer::stop;
}

bool CopyOutCall::hand_over() {
    Ref block = Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(gathered_.data()),
                                                     static_cast<Py_ssize_t>(gathered_.size())));
    gathered_.clear();
    return block && static_cast<bool>(Ref::steal(PyObject_CallOneArg(output_.get(), block.get())));
}

bool CopyOutCall::take_rows(const std::uint8_t* bytes, std::size_t size) {
    if (zoned_ && !begun_ && !session().update_timezone(*this)) return false;
    begun_ = true;
    walk::PgDecoding decoding = session().decoding();
    return decoder_.append_rows(decoding, *plan_, shape_, bytes, size, list_.get());
}

Ref CopyOutCall::value() {
    if (plan_) return std::move(list_);
    if (output_) {
        // The last block: nothing of the connection is under way any more.
        if (!gathered_.empty() && !hand_over()) return {};
        return Ref::steal(PyUnicode_DecodeUTF8(tag.data(), static_cast<Py_ssize_t>(tag.size()), "replace"));
    }
    return Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(gathered_.data()),
                                                static_cast<Py_ssize_t>(gathered_.size())));
}

}  // namespace barewire::bind
