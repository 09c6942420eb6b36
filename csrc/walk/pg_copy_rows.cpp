// The loops over rows: COPY BINARY both ways, and arrays per column.
#include "walk/pg_copy_rows.h"

#include <utility>

#include "py/compat.h"
#include "py/guard.h"
#include "py/internals/dict.h"
#include "py/internals/list.h"
#include "walk/pg_encoder.h"
#include "walk/pg_write_field.h"
#include "wire/pg/copy.h"

namespace barewire::walk {

namespace pg = wire::pg;
using py::Ref;

namespace {

// Why a row has no value for a column.
BAREWIRE_COLD bool fail_row(PgEncoder& encoder, const char* text) {
    encoder.own_error = true;
    PyErr_SetString(encoder.kinds.data_error.get(), text);
    return false;
}

BAREWIRE_COLD bool fail_count(PgEncoder& encoder, Py_ssize_t count, std::size_t columns) {
    encoder.own_error = true;
    PyErr_Format(encoder.kinds.data_error.get(), "the row has %zd values for %zu columns", count, columns);
    return false;
}

// Walks the values of one row in the order of the columns. `write(index, value)` writes one; false stops. `at` is the column
// in which it failed, or the number of columns if the row itself is wrong.
template <class Write>
bool walk_sequence(PgEncoder& encoder, PyObject* row, std::size_t columns, std::size_t& at, Write write) {
    const bool is_list = PyList_Check(row);
    py::Items items = is_list ? py::list_items(row) : py::tuple_items(row);
    if (BAREWIRE_UNLIKELY(static_cast<std::size_t>(items.size) != columns)) {
        at = columns;
        return fail_count(encoder, items.size, columns);
    }
    std::uint64_t seen = encoder.user_code;
    for (at = 0; at < columns; ++at) {
        if (BAREWIRE_UNLIKELY(!write(at, items.data[at]))) return false;
        if (BAREWIRE_UNLIKELY(encoder.user_code != seen)) {
            seen = encoder.user_code;
            items = is_list ? py::list_items(row) : py::tuple_items(row);
            if (static_cast<std::size_t>(items.size) != columns) {
                at = columns;
                return fail_row(encoder, "the row changed its size while it was read");
            }
        }
    }
    return true;
}

BAREWIRE_NOINLINE bool equal_name(PgColumn& column, PyObject* key) {
    if (!PyUnicode_CheckExact(key) || PyUnicode_Compare(key, column.name.get()) != 0) return false;
    column.alias = Ref::share(key);
    return true;
}

BAREWIRE_INLINE bool stands_for(PgColumn& column, PyObject* key) {
    return key == column.name.get() || key == column.alias.get() || equal_name(column, key);
}

template <class Write>
bool walk_dict(PgEncoder& encoder, PyObject* row, std::vector<PgColumn>& columns, bool extra_keys, std::size_t& at,
               Write write) {
    if (!extra_keys && static_cast<std::size_t>(PyDict_GET_SIZE(row)) > columns.size()) {
        at = columns.size();
        return fail_row(encoder, "the row has keys that are no columns");
    }
    // Usually every row has the keys in the order of the columns, and the same objects as keys.
    py::DictCursor cursor(row);
    bool in_order = true;
    const std::uint64_t seen = encoder.user_code;
    for (at = 0; at < columns.size(); ++at) {
        PyObject *key = nullptr, *value = nullptr;
        PgColumn& column = columns[at];
        in_order = in_order && encoder.user_code == seen && cursor.next(key, value) && stands_for(column, key);
        if (BAREWIRE_UNLIKELY(!in_order)) {
            value = PyDict_GetItemWithError(row, column.name.get());
            if (value == nullptr) return !PyErr_Occurred() && fail_row(encoder, "the row lacks this column");
        }
        if (BAREWIRE_UNLIKELY(!write(at, value))) return false;
    }
    return true;
}

template <class Write>
bool walk_mapping(PgEncoder& encoder, PyObject* row, const std::vector<PgColumn>& columns, bool extra_keys, std::size_t& at,
                  Write write) {
    ++encoder.user_code;
    at = columns.size();
    const Py_ssize_t size = PyMapping_Size(row);
    if (size < 0) return false;
    if (!extra_keys && static_cast<std::size_t>(size) > columns.size()) {
        return fail_row(encoder, "the row has keys that are no columns");
    }
    for (at = 0; at < columns.size(); ++at) {
        Ref value = Ref::steal(PyObject_GetItem(row, columns[at].name.get()));
        if (!value) {
            if (!PyErr_ExceptionMatches(PyExc_KeyError)) return false;
            PyErr_Clear();
            return fail_row(encoder, "the row lacks this column");
        }
        if (!write(at, value.get())) return false;
    }
    return true;
}

template <class Write>
bool walk_row(PgEncoder& encoder, PyObject* row, std::vector<PgColumn>& columns, bool extra_keys, std::size_t& at,
              Write write) {
    if (BAREWIRE_LIKELY(PyTuple_Check(row) || PyList_Check(row))) {
        return walk_sequence(encoder, row, columns.size(), at, write);
    }
    if (PyDict_CheckExact(row)) return walk_dict(encoder, row, columns, extra_keys, at, write);
    at = columns.size();
    ++encoder.user_code;
    const bool is_record = Py_TYPE(row) == reinterpret_cast<PyTypeObject*>(encoder.kinds.record.get());
    const int is_mapping = is_record ? 0 : PyObject_IsInstance(row, encoder.kinds.mapping.get());
    if (is_mapping < 0) return false;
    if (is_mapping) return walk_mapping(encoder, row, columns, extra_keys, at, write);
    if (PyUnicode_Check(row) || PyBytes_Check(row) || Py_TYPE(row)->tp_iter == nullptr) {
        encoder.own_error = true;
        PyErr_Format(encoder.kinds.data_error.get(), "expected a tuple, list or mapping as row, got %.200s", Py_TYPE(row)->tp_name);
        return false;
    }
    Ref tuple = Ref::steal(PySequence_Tuple(row));
    return tuple && walk_sequence(encoder, tuple.get(), columns.size(), at, write);
}

void locate(PgEncoder& encoder, const std::vector<PgColumn>& columns, std::size_t column, std::size_t row) {
    PgOrigin origin;
    origin.row = static_cast<long long>(row);
    if (column < columns.size()) {
        origin.column = columns[column].name.get();
        origin.parameter = column + 1;
    }
    locate_pg_error(encoder, origin);
}

}  // namespace

PgRowsStop PgRowWriter::append_rows(PgEncoding& encoding, DocumentSource& source, base::Buffer& out, std::size_t bytes) {
    PgEncoder encoder(encoding, out);
    const std::size_t begin = encoder.size();
    if (columns_.size() > 0x7fff) {
        PyErr_SetString(PyExc_ValueError, "too many columns");
        return PgRowsStop::failed;
    }
    for (;;) {
        if (encoder.size() - begin >= bytes) {
            encoder.flush();
            return PgRowsStop::full;
        }
        const Ref& current = source.current();
        if (BAREWIRE_UNLIKELY(!current)) {
            encoder.flush();
            return PyErr_Occurred() ? PgRowsStop::failed : PgRowsStop::exhausted;
        }
        const std::size_t start = encoder.size();
        std::size_t at = 0;
        bool written = encoder.reserve(2);
        if (BAREWIRE_LIKELY(written)) {
            encoder.advance_to(pg::put(encoder.tail(), static_cast<std::int16_t>(columns_.size())));
            written = walk_row(encoder, current.get(), columns_, extra_keys_, at, [&](std::size_t index, PyObject* value) {
                return write_pg_common_field(encoder, *columns_[index].type, value);
            });
        }
        if (BAREWIRE_UNLIKELY(!written)) {
            locate(encoder, columns_, at, source.taken());
            encoder.cut_back(start);
            encoder.flush();
            return PgRowsStop::failed;
        }
        source.consume();
    }
}

bool PgRowWriter::append_header(base::Buffer& out) noexcept { return pg::append_copy_header(out); }
bool PgRowWriter::append_trailer(base::Buffer& out) noexcept { return pg::append_copy_trailer(out); }

namespace {

constexpr std::size_t array_head_size = 20;

}  // namespace

PgColumnWriter::PgColumnWriter(std::vector<PgColumn> columns, bool extra_keys)
    : rows_(std::move(columns), extra_keys), arrays_(rows_.columns().size()), has_null_(rows_.columns().size()) {}

bool PgColumnWriter::clear() noexcept {
    count_ = 0;
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
        has_null_[i] = 0;
        arrays_[i].clear();
        if (!arrays_[i].reserve(array_head_size)) return false;
        arrays_[i].advance(array_head_size);
    }
    return true;
}

PgRowsStop PgColumnWriter::append_rows(PgEncoding& encoding, DocumentSource& source, std::size_t rows, std::size_t bytes) {
    if (count_ == 0 && !clear()) {
        PyErr_NoMemory();
        return PgRowsStop::failed;
    }
    std::vector<PgColumn>& columns = rows_.columns_;
    // One encoder per column, because each writes into a buffer of its own; `last` holds what the last row ran into.
    std::vector<PgEncoder> encoders;
    encoders.reserve(columns.size());
    for (base::Buffer& array : arrays_) encoders.emplace_back(encoding, array);
    base::Buffer none;
    PgEncoder last(encoding, none);
    PgRowsStop stop = PgRowsStop::full;
    std::size_t appended = 0;
    const std::size_t limit = rows < 0x7fffffff - count_ ? rows : 0x7fffffff - count_;
    for (std::size_t taken = 0; taken < limit && appended < bytes; ++taken) {
        const Ref& current = source.current();
        if (!current) {
            stop = PyErr_Occurred() ? PgRowsStop::failed : PgRowsStop::exhausted;
            break;
        }
        std::size_t at = 0;
        const bool written =
            walk_row(last, current.get(), columns, rows_.extra_keys_, at, [&](std::size_t index, PyObject* value) {
                PgEncoder& encoder = encoders[index];
                const std::size_t start = encoder.size();
                const std::uint64_t seen = encoder.user_code;
                has_null_[index] |= value == Py_None;
                const bool good = write_pg_common_field(encoder, *columns[index].type, value);
                last.user_code += encoder.user_code != seen;
                appended += encoder.size() - start;
                return good;
            });
        if (!written) {
            locate(at < columns.size() && !last.own_error ? encoders[at] : last, columns, at, source.taken());
            stop = PgRowsStop::failed;
            break;
        }
        source.consume();
        ++count_;
    }
    for (PgEncoder& encoder : encoders) encoder.flush();
    return stop;
}

void PgColumnWriter::finish() noexcept {
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
        if (arrays_[i].size() < array_head_size && !clear()) return;
        std::uint8_t* at = arrays_[i].data();
        at = pg::put(at, std::int32_t{1});
        at = pg::put(at, static_cast<std::int32_t>(has_null_[i]));
        at = pg::put(at, rows_.columns()[i].type->oid);
        at = pg::put(at, static_cast<std::int32_t>(count_));
        pg::put(at, std::int32_t{1});
    }
}

namespace {

// Rows that are framed, then decoded, at a time: their bytes are still near when they are read again.
constexpr std::size_t rows_per_turn = 256;

struct FramedRows {
    const std::vector<pg::Field>& fields;
    std::size_t columns;

    static const std::uint8_t* cell(void* source, int row, int column, int& length) {
        const auto& rows = *static_cast<FramedRows*>(source);
        const pg::Field& field = rows.fields[static_cast<std::size_t>(row) * rows.columns + static_cast<std::size_t>(column)];
        length = field.is_null() ? -1 : static_cast<int>(field.size);
        return field.data;
    }
};

}  // namespace

bool PgCopyDecoder::append_rows(PgDecoding& decoding, PgRowPlan& plan, PgShape shape, const std::uint8_t* data,
                                std::size_t size, PyObject* list) {
    const auto refuse = [&] {
        PyErr_SetString(decoding.kinds.data_error.get(), "malformed COPY BINARY stream");
        return false;
    };
    if (size == 0) return true;
    if (ended_) return refuse();
    pg::CopyReader reader(data, size);
    if (!started_ && reader.header() != pg::CopyNext::row) return refuse();
    started_ = true;
    py::CollectorPause pause(size > 4096 && !plan.may_run_user_code(decoding));
    FramedRows framed{fields_, plan.columns()};
    while (reader.taken() != size) {
        fields_.clear();
        std::size_t rows = 0;
        for (; rows < rows_per_turn && reader.taken() != size; ++rows) {
            const pg::CopyNext next = reader.next(plan.columns(), fields_);
            if (next == pg::CopyNext::row) continue;
            if (next != pg::CopyNext::end || reader.taken() != size) return refuse();
            ended_ = true;
            break;
        }
        const PgCells cells{&framed, static_cast<int>(rows), &FramedRows::cell};
        if (!plan.append_rows(decoding, cells, shape, list)) return false;
    }
    return true;
}

}  // namespace barewire::walk
