// Floors of writing: a transaction of one insert in one flush, an insert with many rows in a pipeline, COPY of prebuilt blocks.
#include <poll.h>

#include <algorithm>

#include "rows.h"
#include "session.h"

namespace floor_bench {

namespace {

constexpr std::size_t kBlock = 64 * 1024;
constexpr const char* kInsert = "insert_seven";
constexpr int kRowsPerFlush = 256; // then the answers that have come are taken, so that no buffer grows

bool prepare_insert(Session& session, Answer& answer) {
    return prepare(session.connection, "begin", "BEGIN", answer) && prepare(session.connection, "commit", "COMMIT", answer) &&
           prepare(session.connection, kInsert, "INSERT INTO " + session.table + " VALUES ($1, $2, $3, $4, $5, $6, $7)", answer);
}

std::vector<std::vector<std::string>> rows(int count) {
    std::vector<std::vector<std::string>> made;
    for (int index = 0; index < count; ++index) {
        made.push_back(seven(index));
    }
    return made;
}

void send(PGconn* connection, const char* name, const Parameters* parameters) {
    if (parameters == nullptr) {
        PQsendQueryPrepared(connection, name, 0, nullptr, nullptr, nullptr, 1);
    } else {
        PQsendQueryPrepared(connection, name, static_cast<int>(parameters->values.size()), parameters->values.data(),
                            parameters->lengths.data(), parameters->formats.data(), 1);
    }
}

// Takes the results that have arrived; each of the `outstanding` statements has one.
void take_arrived(PGconn* connection, int& outstanding, Answer& answer) {
    PQconsumeInput(connection);
    while (outstanding > 0 && PQisBusy(connection) == 0) {
        const Result result(PQgetResult(connection));
        if (result != nullptr) { // else the end of one statement's results
            good(connection, result.get(), answer);
            --outstanding;
        }
    }
}

// Until everything is written; reads meanwhile, because the server may be waiting for that.
void flush(PGconn* connection, int& outstanding, Answer& answer) {
    while (PQflush(connection) == 1) {
        pollfd ready{PQsocket(connection), POLLIN | POLLOUT, 0};
        poll(&ready, 1, -1);
        take_arrived(connection, outstanding, answer);
    }
}

Answer copy(Session& session, const std::string& statement, const std::string& data) {
    Answer answer;
    Stopwatch watch(session.server_pid);
    watch.start();
    if (!execute(session.connection, statement.c_str(), answer)) {
        return answer;
    }
    for (std::size_t start = 0; start < data.size(); start += kBlock) {
        PQputCopyData(session.connection, data.data() + start, static_cast<int>(std::min(kBlock, data.size() - start)));
    }
    PQputCopyEnd(session.connection, nullptr);
    for (;;) {
        const Result result(PQgetResult(session.connection));
        if (result == nullptr) {
            break;
        }
        good(session.connection, result.get(), answer);
    }
    answer.times = watch.stop();
    return answer;
}

} // namespace

Answer run_insert_commit(Session& session, const Request& request) {
    Answer answer;
    if (!prepare_insert(session, answer)) {
        return answer;
    }
    const std::vector<std::vector<std::string>> made = rows(request.count);
    const std::vector<Parameters> parameters(made.begin(), made.end());
    PQenterPipelineMode(session.connection);
    Stopwatch watch(session.server_pid);
    watch.start();
    for (const Parameters& row : parameters) {
        send(session.connection, "begin", nullptr);
        send(session.connection, kInsert, &row);
        send(session.connection, "commit", nullptr);
        PQpipelineSync(session.connection);
        if (!drain_pipeline(session.connection, answer)) {
            break;
        }
    }
    answer.times = watch.stop();
    PQexitPipelineMode(session.connection);
    return answer;
}

Answer run_executemany(Session& session, const Request& request) {
    Answer answer;
    if (!prepare_insert(session, answer)) {
        return answer;
    }
    const std::vector<std::vector<std::string>> made = rows(request.size);
    const std::vector<Parameters> parameters(made.begin(), made.end());
    PQenterPipelineMode(session.connection);
    PQsetnonblocking(session.connection, 1);
    Stopwatch watch(session.server_pid);
    watch.start();
    int sent = 0;
    int outstanding = 0;
    for (const Parameters& row : parameters) {
        send(session.connection, kInsert, &row);
        ++outstanding;
        if (++sent % kRowsPerFlush == 0) {
            PQsendFlushRequest(session.connection);
            flush(session.connection, outstanding, answer);
            take_arrived(session.connection, outstanding, answer);
        }
    }
    PQpipelineSync(session.connection); // one for all: they are one transaction
    flush(session.connection, outstanding, answer);
    PQsetnonblocking(session.connection, 0);
    drain_pipeline(session.connection, answer);
    answer.times = watch.stop();
    PQexitPipelineMode(session.connection);
    return answer;
}

Answer run_copy(Session& session, const Request& request) {
    return copy(session, "COPY " + session.table + " FROM STDIN (FORMAT BINARY)", copy_data(request.size, seven));
}

Answer run_copy_people(Session& session, const Request& request) {
    return copy(session, "COPY " + session.table + " (name, email, age, city, score, active) FROM STDIN (FORMAT BINARY)",
                copy_data(request.size, person));
}

} // namespace floor_bench
