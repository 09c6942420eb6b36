// Arguments of METH_FASTCALL | METH_KEYWORDS functions by position or name; no conversion of values.
#pragma once

#include <array>
#include <cstddef>

#include "base/macros.h"
#include "py/python.h"

namespace barewire::bind {

// The names a function accepts, the first `required` of which must be given.
template <std::size_t count>
struct Parameters {
    const char* function;
    std::array<const char*, count> names;
    std::size_t required;
};

namespace detail {

// False with TypeError set.
[[nodiscard]] bool match_arguments(const char* function, const char* const* names, std::size_t count,
                                   std::size_t required, PyObject* const* arguments, Py_ssize_t given,
                                   PyObject* keywords, PyObject** out);

}  // namespace detail

// Fills `out` in the order of the names with borrowed objects, nullptr for what was not given. False with TypeError set.
template <std::size_t count>
[[nodiscard]] BAREWIRE_INLINE bool parse_arguments(const Parameters<count>& parameters, PyObject* const* arguments,
                                                   Py_ssize_t given, PyObject* keywords,
                                                   std::array<PyObject*, count>& out) {
    out.fill(nullptr);
    if (BAREWIRE_LIKELY(keywords == nullptr && given >= static_cast<Py_ssize_t>(parameters.required) &&
                        given <= static_cast<Py_ssize_t>(count))) {
        for (Py_ssize_t i = 0; i < given; ++i) out[static_cast<std::size_t>(i)] = arguments[i];
        return true;
    }
    return detail::match_arguments(parameters.function, parameters.names.data(), count, parameters.required, arguments,
                                   given, keywords, out.data());
}

}  // namespace barewire::bind
