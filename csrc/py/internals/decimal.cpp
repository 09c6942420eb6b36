// The comparison that decides whether Decimals are read and built in place.
#include "py/internals/decimal.h"

#include <cstring>

#include "py/ref.h"

namespace barewire::py {

#ifdef BAREWIRE_DECIMAL_LAYOUT

namespace {

using internals::DecimalObject;

struct Sample {
    const char* text;
    bool negative;
    std::int64_t exponent;
    int digits, count;
    std::uint64_t words[decimal_inline_words];
};

constexpr Sample samples[] = {
    {"0", false, 0, 1, 1, {0}},
    {"-0.00", true, -2, 1, 1, {0}},
    {"1E+5", false, 5, 1, 1, {1}},
    {"-123.4500", true, -4, 7, 1, {1234500}},
    {"9999999999999999999", false, 0, 19, 1, {9999999999999999999u}},
    {"1.0000000000000000000", false, -19, 20, 2, {0, 1}},
    {"1234567890123456789000000000000000000500000000000000000070000000000000000009", false, 0, 76, 4,
     {9, 7, 5, 1234567890123456789u}},
};

bool same(PyObject* made, PyObject* expected) noexcept {
    const auto* ours = reinterpret_cast<const DecimalObject*>(made);
    const auto* theirs = reinterpret_cast<const DecimalObject*>(expected);
    return Py_TYPE(made) == Py_TYPE(expected) && ours->hash == theirs->hash && ours->flags == theirs->flags &&
           ours->exponent == theirs->exponent && ours->digits == theirs->digits && ours->length == theirs->length &&
           ours->allocated == theirs->allocated && theirs->words == theirs->inline_words &&
           std::memcmp(ours->words, theirs->words, static_cast<std::size_t>(ours->length) * sizeof(std::uint64_t)) == 0;
}

Ref call(PyObject* type, const char* text) {
    return Ref::steal(PyObject_CallFunction(type, "s", text));
}

}  // namespace

bool confirm_decimal_layout(PyObject* type) {
    if (!PyType_Check(type)) return false;
    auto* layout = reinterpret_cast<PyTypeObject*>(type);
    if (layout->tp_basicsize != static_cast<Py_ssize_t>(sizeof(DecimalObject)) || layout->tp_itemsize != 0 ||
        layout->tp_dictoffset != 0 || layout->tp_weaklistoffset != 0) {
        return false;
    }
    for (const Sample& sample : samples) {
        Ref expected = call(type, sample.text);
        if (!expected) return false;
        std::uint64_t* words = nullptr;
        Ref made = Ref::steal(
            new_decimal(layout, sample.negative, sample.exponent, sample.digits, sample.count, words));
        if (!made) return false;
        for (int i = 0; i < sample.count; ++i) words[i] = sample.words[i];
        if (!same(made.get(), expected.get())) return false;
        Ref ours = Ref::steal(PyObject_Str(made.get())), theirs = Ref::steal(PyObject_Str(expected.get()));
        if (!ours || !theirs) return false;
        const int equal = PyObject_RichCompareBool(ours.get(), theirs.get(), Py_EQ);
        if (equal != 1) return false;
    }
    // What does not fit an object has its words elsewhere, and special values have their flags.
    Ref infinity = call(type, "-Infinity"), nan = call(type, "sNaN");
    if (!infinity || !nan) return false;
    const DecimalParts minus = decimal_parts(infinity.get()), none = decimal_parts(nan.get());
    return minus.negative && minus.infinite && !minus.nan && none.nan && !none.infinite;
}

#else

bool confirm_decimal_layout(PyObject*) { return false; }

#endif

}  // namespace barewire::py
