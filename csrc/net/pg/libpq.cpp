// Loading of libpq and the self test of its results' layout. Nothing else may live here.
#include "net/pg/libpq.h"

#include <dlfcn.h>

#include <cstring>
#include <new>

namespace barewire::net::pg {

namespace {

// The beginning of libpq's private struct for a result, the same since 9.0.
struct ResultHead {
    int rows;
    int columns;
    const void* descriptions;
    const CellData* const* cells;
};

// Makes a small result through the public functions and looks whether it lies in memory as expected.
bool rows_lie_as_expected(const Libpq& libpq) noexcept {
    PGresult* result = libpq.PQmakeEmptyPGresult_(nullptr, PGRES_TUPLES_OK);
    if (!result) return false;
    PGresAttDesc columns[3] = {};
    char name[] = "c";
    for (PGresAttDesc& column : columns) {
        column.name = name;
        column.typid = 25;
        column.typlen = -1;
    }
    char text[] = "barewire", empty[] = "";
    bool good = libpq.PQsetResultAttrs_(result, 3, columns) != 0;
    for (int row = 0; good && row < 200; ++row) {   // more than libpq makes room for at first
        good = libpq.PQsetvalue_(result, row, 0, text, 1 + row % 8) && libpq.PQsetvalue_(result, row, 1, nullptr, -1) &&
               libpq.PQsetvalue_(result, row, 2, empty, 0);
    }
    ResultHead head;
    std::memcpy(&head, result, sizeof head);
    good = good && head.rows == 200 && head.columns == 3 && head.cells != nullptr;
    for (int row = 0; good && row < 200; ++row) {
        const CellData* cells = head.cells[row];
        good = cells[0].length == 1 + row % 8 && cells[0].data == libpq.PQgetvalue_(result, row, 0) && cells[1].length == -1 &&
               cells[2].length == 0 && cells[2].data == libpq.PQgetvalue_(result, row, 2);
    }
    libpq.PQclear_(result);
    return good;
}

template <class Function>
bool find(void* handle, const char* name, Function& function) noexcept {
    function = reinterpret_cast<Function>(::dlsym(handle, name));
    return function != nullptr;
}

}  // namespace

std::shared_ptr<const Libpq> Libpq::load(const char* path, std::string& why) {
    void* handle = ::dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    if (!handle) {
        const char* reason = ::dlerror();
        why = reason ? reason : path;
        return nullptr;
    }
    auto libpq = std::make_shared<Libpq>();
    const auto missing = [&](const char* name) {
        why = std::string(path) + ": no " + name + ", so no libpq of release 14 or later";
        return nullptr;
    };
#define BAREWIRE_FIND(name) \
    if (!find(handle, #name, libpq->name##_)) return missing(#name);
    BAREWIRE_LIBPQ_FUNCTIONS(BAREWIRE_FIND)
#undef BAREWIRE_FIND
    libpq->version = libpq->PQlibVersion_();
    libpq->get_value = libpq->PQgetvalue_;
    libpq->get_length = libpq->PQgetlength_;
    libpq->get_is_null = libpq->PQgetisnull_;
    libpq->clear = libpq->PQclear_;
    if (libpq->version >= 170000) {
        find(handle, "PQsendPipelineSync", libpq->PQsendPipelineSync_);
        find(handle, "PQsetChunkedRowsMode", libpq->PQsetChunkedRowsMode_);
        find(handle, "PQsendClosePrepared", libpq->PQsendClosePrepared_);
        const bool cancel = find(handle, "PQcancelStart", libpq->PQcancelStart_) &&
                            find(handle, "PQcancelPoll", libpq->PQcancelPoll_) &&
                            find(handle, "PQcancelSocket", libpq->PQcancelSocket_) &&
                            find(handle, "PQcancelErrorMessage", libpq->PQcancelErrorMessage_) &&
                            find(handle, "PQcancelFinish", libpq->PQcancelFinish_);
        if (cancel) find(handle, "PQcancelCreate", libpq->PQcancelCreate_);
    }
    // libssl is found behind the object because libpq depends on it.
    if (find(handle, "SSL_peek", libpq->SSL_peek_)) find(handle, "PQsslStruct", libpq->PQsslStruct_);
    libpq->rows_in_place = rows_lie_as_expected(*libpq);
    return libpq;
}

}  // namespace barewire::net::pg
