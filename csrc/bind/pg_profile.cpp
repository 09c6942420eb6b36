// Reading the settings that Python gives for connections and pools; their names are those of pkg/barewire/pg/_settings.py.
#include <map>
#include <new>
#include <utility>

#include "bind/pg_plan.h"
#include "bind/pg_types.h"

namespace barewire::bind {

using py::Ref;

namespace {

// One engine per library and process: its workers serve all connections.
std::map<std::string, std::shared_ptr<net::pg::Engine>>& engines() {
    static auto* all = new std::map<std::string, std::shared_ptr<net::pg::Engine>>();  // never destroyed: closed at exit
    return *all;
}

class Reader {
public:
    explicit Reader(PyObject* dict) : dict_(dict) {}
    PyObject* item(const char* name) {
        PyObject* value = PyDict_Check(dict_) ? PyDict_GetItemString(dict_, name) : nullptr;
        if (value == nullptr) PyErr_SetString(PyExc_KeyError, name);
        return value;
    }
    bool text(const char* name, std::string& out) {
        PyObject* value = item(name);
        Py_ssize_t size = 0;
        const char* data = value != nullptr ? PyUnicode_AsUTF8AndSize(value, &size) : nullptr;
        if (data == nullptr) return false;
        out.assign(data, static_cast<std::size_t>(size));
        return true;
    }
    bool object(const char* name, Ref& out) {
        PyObject* value = item(name);
        if (value == nullptr) return false;
        out = Ref::share(value);
        return true;
    }
    bool size(const char* name, std::size_t& out) {
        PyObject* value = item(name);
        if (value == nullptr) return false;
        out = PyLong_AsSize_t(value);
        return out != static_cast<std::size_t>(-1) || PyErr_Occurred() == nullptr;
    }

private:
    PyObject* dict_;
};

std::shared_ptr<net::pg::Engine> engine_for(const std::string& library) {
    std::shared_ptr<net::pg::Engine>& known = engines()[library];
    if (!known) {
        std::string why;
        known = net::pg::Engine::create(library.c_str(), why);
        if (!known) {
            engines().erase(library);
            raise_psycopg("NotSupportedError", "libpq cannot be used: %s", why.c_str());
            return nullptr;
        }
    }
    return known;
}

}  // namespace

bool read_shape(ModuleState& state, PyObject* rows, walk::PgShape& shape) {
    if (rows == nullptr || rows == Py_None) return true;
    if (rows == reinterpret_cast<PyObject*>(&PyTuple_Type)) {
        shape = walk::PgShape::tuples;
    } else if (rows == reinterpret_cast<PyObject*>(&PyDict_Type)) {
        shape = walk::PgShape::dicts;
    } else if (rows == state.pg_kinds.record.get()) {
        shape = walk::PgShape::records;
    } else {
        PyErr_SetString(PyExc_TypeError, "rows must be tuple, dict or barewire.pg.Record");
        return false;
    }
    return true;
}

std::shared_ptr<const PgProfile> read_profile(ModuleState& state, PyObject* settings) {
    if (!state.pg_kinds.resolve()) return nullptr;
    auto profile = std::make_shared<PgProfile>();
    auto options = std::make_shared<net::pg::ConnectOptions>();
    Reader reader(settings);
    std::string library, conninfo;
    Ref rows;
    if (!reader.text("library", library) || !reader.text("conninfo", conninfo) || !reader.object("rows", rows) ||
        !reader.size("statement_cache_size", profile->statement_cache_size) ||
        !reader.object("json_loads", profile->json_loads) || !reader.object("json_dumps", profile->json_dumps) ||
        !reader.object("server_error", profile->server_error) || !reader.object("failure", profile->failure) ||
        !reader.object("batch_error", profile->batch_error) || !reader.object("notice", profile->notice) ||
        !reader.object("timezone", profile->timezone) || !reader.object("lookup_query", profile->lookup_query) ||
        !read_shape(state, rows.get(), profile->shape)) {
        return nullptr;
    }
    profile->engine = engine_for(library);
    if (!profile->engine) return nullptr;
    // libpq takes a whole connection string as the name of the database.
    options->parameters.emplace_back("dbname", std::move(conninfo));
    profile->options = std::move(options);
    profile->module = &state;
    return profile;
}

void close_pg_engines() {
    for (auto& [library, engine] : engines()) {
        std::shared_ptr<net::pg::Engine> held = engine;
        PyThreadState* state = PyEval_SaveThread();
        held->close();
        PyEval_RestoreThread(state);
    }
}

void abandon_pg_engines() {
    for (auto& [library, engine] : engines()) engine->abandon_after_fork();
}

}  // namespace barewire::bind
