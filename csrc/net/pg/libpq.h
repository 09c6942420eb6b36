// The functions of libpq as a table that is filled at run time; nothing may call libpq in another way. Only the source
// files of this folder include it: the layers above see result.h, operation.h and connection.h, which need no libpq header.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>

#include "net/pg/result.h"

// From libpq 17 on; declared here too, because the header may be older than the library.
extern "C" {
struct pg_cancel_conn;
}

namespace barewire::net::pg {

// Functions of every libpq since 14.
#define BAREWIRE_LIBPQ_FUNCTIONS(X)                                                                                        \
    X(PQlibVersion) X(PQconnectStartParams) X(PQconnectPoll) X(PQfinish) X(PQstatus) X(PQtransactionStatus) X(PQsocket)     \
    X(PQerrorMessage) X(PQserverVersion) X(PQparameterStatus) X(PQbackendPID) X(PQhost) X(PQhostaddr) X(PQport) X(PQdb)     \
    X(PQuser) X(PQpass) X(PQoptions) X(PQprotocolVersion) X(PQsslInUse) X(PQgssEncInUse) X(PQconninfo) X(PQconninfoParse)                    \
    X(PQconninfoFree) X(PQconndefaults) X(PQconnectionNeedsPassword) X(PQconnectionUsedPassword) X(PQsetnonblocking) X(PQflush)                 \
    X(PQconsumeInput) X(PQisBusy)                                                                                           \
    X(PQgetResult) X(PQclear) X(PQsendQuery) X(PQsendQueryParams) X(PQsendPrepare) X(PQsendQueryPrepared)                   \
    X(PQsendDescribePrepared) X(PQenterPipelineMode) X(PQexitPipelineMode) X(PQpipelineSync) X(PQpipelineStatus)            \
    X(PQsetSingleRowMode) X(PQputCopyData) X(PQputCopyEnd) X(PQgetCopyData) X(PQfreemem) X(PQnotifies)                      \
    X(PQsetNoticeReceiver) X(PQgetCancel) X(PQcancel) X(PQfreeCancel) X(PQclientEncoding) X(PQsetClientEncoding)            \
    X(PQresultStatus) X(PQresultErrorField) X(PQresultErrorMessage) X(PQntuples) X(PQnfields) X(PQfname) X(PQftable)        \
    X(PQftablecol) X(PQftype) X(PQfmod) X(PQfsize) X(PQfformat) X(PQgetvalue) X(PQgetlength) X(PQgetisnull) X(PQcmdStatus)  \
    X(PQcmdTuples) X(PQbinaryTuples) X(PQnparams) X(PQparamtype) X(PQmakeEmptyPGresult) X(PQsetvalue) X(PQsetResultAttrs)                     \
    X(PQencryptPasswordConn) X(PQescapeIdentifier) X(PQescapeLiteral)

// One loaded library. Immutable after load(), so any thread may use it.
struct Libpq : ResultFunctions {
#define BAREWIRE_DECLARE(name) decltype(&::name) name##_ = nullptr;
    BAREWIRE_LIBPQ_FUNCTIONS(BAREWIRE_DECLARE)
#undef BAREWIRE_DECLARE
    // From 17 on, nullptr before.
    int (*PQsendPipelineSync_)(PGconn*) = nullptr;
    int (*PQsetChunkedRowsMode_)(PGconn*, int) = nullptr;
    int (*PQsendClosePrepared_)(PGconn*, const char*) = nullptr;
    pg_cancel_conn* (*PQcancelCreate_)(PGconn*) = nullptr;
    int (*PQcancelStart_)(pg_cancel_conn*) = nullptr;
    PostgresPollingStatusType (*PQcancelPoll_)(pg_cancel_conn*) = nullptr;
    int (*PQcancelSocket_)(const pg_cancel_conn*) = nullptr;
    char* (*PQcancelErrorMessage_)(const pg_cancel_conn*) = nullptr;
    void (*PQcancelFinish_)(pg_cancel_conn*) = nullptr;
    // Of a library built with OpenSSL, else nullptr: what has been decrypted, or can be, without taking it.
    void* (*PQsslStruct_)(PGconn*, const char*) = nullptr;
    int (*SSL_peek_)(void*, void*, int) = nullptr;

    int version = 0;   // 150020: 15.20

    // From a shared object that is, or depends on, a libpq: psycopg's extension file, or "libpq.so.5". An object that the
    // process has loaded already is not loaded again. nullptr and the reason in `why` when it has no usable libpq. The
    // library is never unloaded.
    static std::shared_ptr<const Libpq> load(const char* path, std::string& why);
};

}  // namespace barewire::net::pg
