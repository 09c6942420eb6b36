// Errors, prepared statements and the reading of pipelines, for all operations.
#include "session.h"

#include <set>

namespace floor_bench {

bool good(PGconn* connection, const PGresult* result, Answer& answer) {
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_PIPELINE_SYNC:
    case PGRES_COPY_IN:
        return true;
    default:
        if (answer.error.empty()) {
            answer.error = result != nullptr ? PQresultErrorMessage(result) : PQerrorMessage(connection);
            if (answer.error.empty()) {
                answer.error = PQresStatus(PQresultStatus(result));
            }
        }
        return false;
    }
}

bool execute(PGconn* connection, const char* statement, Answer& answer) {
    const Result result(PQexec(connection, statement));
    return good(connection, result.get(), answer);
}

bool prepare(PGconn* connection, const std::string& name, const std::string& statement, Answer& answer) {
    static std::set<std::string> known;
    if (known.count(name) != 0) {
        return true;
    }
    const Result result(PQprepare(connection, name.c_str(), statement.c_str(), 0, nullptr));
    if (!good(connection, result.get(), answer)) {
        return false;
    }
    known.insert(name);
    return true;
}

bool drain_pipeline(PGconn* connection, Answer& answer) {
    bool fine = true;
    for (;;) {
        const Result result(PQgetResult(connection));
        if (result == nullptr) {
            continue; // the end of one statement's results
        }
        fine = good(connection, result.get(), answer) && fine;
        if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC || PQstatus(connection) == CONNECTION_BAD) {
            return fine;
        }
    }
}

} // namespace floor_bench
