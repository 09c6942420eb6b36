// What every operation on PostgreSQL gets: the connection, and what it needs of libpq. No operation lives here.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>

#include "../frame.h"

namespace floor_bench {

struct Session {
    PGconn* connection;
    std::string table;
    int server_pid;
};

struct FreeResult {
    void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, FreeResult>;

// Whether the result is not an error; if it is, its text goes into the answer.
bool good(PGconn* connection, const PGresult* result, Answer& answer);

// Runs statements without parameters, untimed.
bool execute(PGconn* connection, const char* statement, Answer& answer);

// Prepares a statement under `name`, unless this session did so before.
bool prepare(PGconn* connection, const std::string& name, const std::string& statement, Answer& answer);

// Reads results until there are none, a pipeline's synchronisation point or an error; whether all were good.
bool drain_pipeline(PGconn* connection, Answer& answer);

Answer run_select_one(Session& session, const Request& request);
Answer run_select_batch(Session& session, const Request& request);
Answer run_fetch(Session& session, const Request& request);
Answer run_insert_commit(Session& session, const Request& request);
Answer run_executemany(Session& session, const Request& request);
Answer run_copy(Session& session, const Request& request);
Answer run_copy_people(Session& session, const Request& request);

} // namespace floor_bench
