// The dicts of the self test and their comparison; nothing else may be decided here.
#include "py/internals/selftest.h"

#include <initializer_list>

#include "py/internals/dict.h"
#include "py/python.h"

namespace barewire::py {

namespace {

// Compares both walks of one dict, entry by entry. Nothing is dereferenced that the tables deliver.
bool same_walk(PyObject* dict, bool may_be_split) {
    DictCursor direct(dict, true), plain(dict, false);
    // An empty dict looks like a split one in 3.10.
    if (!direct.in_place() && !may_be_split && PyDict_GET_SIZE(dict) != 0) return false;
    PyObject *key = nullptr, *value = nullptr, *expected_key = nullptr, *expected_value = nullptr;
    while (plain.next(expected_key, expected_value)) {
        if (!direct.next(key, value)) return false;
        if (key != expected_key || value != expected_value) return false;
    }
    return !direct.next(key, value);
}

Ref filled(Py_ssize_t count, const char* pattern) {
    Ref dict = Ref::steal(PyDict_New());
    for (Py_ssize_t i = 0; dict && i < count; ++i) {
        Ref key = Ref::steal(PyUnicode_FromFormat(pattern, i));
        Ref value = Ref::steal(PyLong_FromSsize_t(i));
        if (!key || !value || PyDict_SetItem(dict.get(), key.get(), value.get()) < 0) return {};
    }
    return dict;
}

// The dict of an instance, whose keys are shared with its class as long as nothing unusual happens to it.
Ref instance_dict() {
    Ref scope = Ref::steal(PyDict_New());
    if (!scope || PyDict_SetItemString(scope.get(), "__builtins__", PyEval_GetBuiltins()) < 0) return {};
    constexpr const char* code =
        "class Point:\n"
        "    def __init__(self):\n"
        "        self.x = 1\n"
        "        self.y = 2\n"
        "points = [Point() for _ in range(4)]\n"
        "found = points[-1].__dict__\n";
    Ref done = Ref::steal(PyRun_String(code, Py_file_input, scope.get(), scope.get()));
    if (!done) return {};
    return Ref::share(PyDict_GetItemString(scope.get(), "found"));
}

enum class Outcome { same, different, failed };

Outcome check(const Ref& dict, bool may_be_split = false) {
    if (!dict) return Outcome::failed;
    return same_walk(dict.get(), may_be_split) ? Outcome::same : Outcome::different;
}

Outcome run() {
    // Sizes around every growth step of the table and of its index width.
    for (Py_ssize_t count : {0, 1, 5, 6, 10, 11, 85, 86, 200, 400}) {
        if (Outcome got = check(filled(count, "key%zd")); got != Outcome::same) return got;
    }
    // 43,690 entries are the most that 2-byte indexes serve; small ints as keys keep this at about 2 ms.
    Ref large = Ref::steal(PyDict_New());
    for (long i = 0; large && i < 44000; ++i) {
        Ref number = Ref::steal(PyLong_FromLong(i));
        if (!number || PyDict_SetItem(large.get(), number.get(), Py_None) < 0) return Outcome::failed;
    }
    if (Outcome got = check(large); got != Outcome::same) return got;
    for (Py_ssize_t count : {5, 100}) {
        Ref mixed = filled(count, "mixed%zd");
        Ref number = Ref::steal(PyLong_FromLong(77));
        if (!mixed || !number || PyDict_SetItem(mixed.get(), number.get(), Py_None) < 0) return Outcome::failed;
        if (Outcome got = check(mixed); got != Outcome::same) return got;

        Ref holes = filled(count, "hole%zd");
        if (!holes) return Outcome::failed;
        for (const char* name : {"hole0", "hole3", "hole4"}) {
            if (PyDict_DelItemString(holes.get(), name) < 0) return Outcome::failed;
        }
        if (Outcome got = check(holes); got != Outcome::same) return got;
        if (PyDict_SetItemString(holes.get(), "later", Py_True) < 0) return Outcome::failed;
        if (Outcome got = check(holes); got != Outcome::same) return got;
    }
    Ref cleared = filled(20, "gone%zd");
    if (!cleared) return Outcome::failed;
    PyDict_Clear(cleared.get());
    if (Outcome got = check(cleared); got != Outcome::same) return got;
    Ref copied = filled(6, "copy%zd");
    if (copied) copied = Ref::steal(PyDict_Copy(copied.get()));
    if (Outcome got = check(copied); got != Outcome::same) return got;

    // A split dict must be told apart; whether this interpreter makes one here is its own affair.
    return check(instance_dict(), true);
}

}  // namespace

bool verify_internals() {
    dict_tables_verified = false;
    if constexpr (!internals::can_read_tables) return true;
    Outcome outcome = run();
    if (outcome == Outcome::failed) return false;
    dict_tables_verified = outcome == Outcome::same;
    return true;
}

Ref describe_internals() {
#if defined(BAREWIRE_PUBLIC_INTERNALS)
    constexpr const char* others = "public";
#else
    constexpr const char* others = "in place";
#endif
    return Ref::steal(Py_BuildValue("{s:s,s:O,s:s,s:s}", "dict", internals::dict_layout, "dict_tables",
                                    dict_tables_verified ? Py_True : Py_False, "text", others, "integer", others));
}

}  // namespace barewire::py
