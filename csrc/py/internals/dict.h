// Walking a dict: its entries in place where the layout is known and has passed the self test, else PyDict_Next.
#pragma once

#include "base/macros.h"
#include "py/python.h"

#if defined(BAREWIRE_PUBLIC_INTERNALS) || defined(Py_GIL_DISABLED) || PY_VERSION_HEX >= 0x030e0000
#include "py/internals/dict_public.h"
#elif PY_VERSION_HEX >= 0x030b0000
#include "py/internals/dict_311.h"
#else
#include "py/internals/dict_310.h"
#endif

namespace barewire::py {

// Set once by the self test at import; a property of the interpreter's build, so it is the same for every module object.
inline bool dict_tables_verified = false;

// One pass over a dict. Keys and values are borrowed. After anything that may have run user code call `resync`.
class DictCursor {
public:
    explicit BAREWIRE_INLINE DictCursor(PyObject* dict, bool use_tables = dict_tables_verified) noexcept
        : dict_(dict), used_(PyDict_GET_SIZE(dict)), use_tables_(use_tables) {
        load(0);
    }

    BAREWIRE_INLINE bool next(PyObject*& key, PyObject*& value) noexcept {
        if (BAREWIRE_LIKELY(in_place_)) {
            while (at_ != end_) {
                const char* behind = at_ + stride_;
                at_ = behind;
                value = *reinterpret_cast<PyObject* const*>(behind - sizeof(PyObject*));
                // Deleted entries keep their place without a value.
                if (BAREWIRE_LIKELY(value != nullptr)) {
                    key = *reinterpret_cast<PyObject* const*>(behind - 2 * sizeof(PyObject*));
                    return true;
                }
            }
            return false;
        }
        // Locals, because an object whose address is taken is not kept in registers.
        Py_ssize_t position = position_;
        PyObject *found_key = nullptr, *found_value = nullptr;
        const bool found = PyDict_Next(dict_, &position, &found_key, &found_value) != 0;
        position_ = position;
        key = found_key;
        value = found_value;
        return found;
    }

    // Reads the bounds again; false if the number of items is another one than at the start.
    BAREWIRE_INLINE bool resync() noexcept {
        if (PyDict_GET_SIZE(dict_) != used_) return false;
        load(in_place_ ? (at_ - begin_) / static_cast<Py_ssize_t>(stride_) : position_);
        return true;
    }

    bool in_place() const noexcept { return in_place_; }

private:
    // Positions of PyDict_Next and of the tables are both indexes of entries.
    BAREWIRE_INLINE void load(Py_ssize_t index) noexcept {
        internals::Table table{};
        in_place_ = use_tables_ && internals::read_table(dict_, table);
        position_ = index;
        if (!in_place_) return;
        stride_ = table.stride;
        begin_ = table.entries;
        end_ = begin_ + static_cast<std::size_t>(table.count) * stride_;
        at_ = begin_ + static_cast<std::size_t>(index < table.count ? index : table.count) * stride_;
    }

    PyObject* dict_;
    const char* at_ = nullptr;
    const char* end_ = nullptr;
    std::size_t stride_ = 0;
    const char* begin_ = nullptr;
    Py_ssize_t position_ = 0;
    Py_ssize_t used_;
    bool in_place_ = false;
    bool use_tables_;
};

}  // namespace barewire::py
