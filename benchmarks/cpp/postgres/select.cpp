// Floors of reading: one row by its key, many of them in a pipeline, a whole table. Values are walked, not turned into anything.
#include <zlib.h>

#include "rows.h"
#include "session.h"

namespace floor_bench {

namespace {

// Order-independent digest of rows: count and sum of the CRC-32 of each first value, as the Python side computes it.
struct Digest {
    std::uint64_t count = 0;
    std::uint64_t sum = 0;

    void add(const PGresult* result) noexcept {
        for (int row = 0; row < PQntuples(result); ++row) {
            ++count;
            sum += crc32(0, reinterpret_cast<const Bytef*>(PQgetvalue(result, row, 0)),
                         static_cast<uInt>(PQgetlength(result, row, 0)));
        }
    }
    [[nodiscard]] std::string text() const { return std::to_string(count) + ":" + std::to_string(sum); }
};

constexpr const char* kByKey = "by_key";

bool prepare_by_key(Session& session, Answer& answer) {
    return prepare(session.connection, kByKey,
                   "SELECT id, name, email, age, city, score, active FROM " + session.table + " WHERE id = $1", answer);
}

std::vector<std::string> keys(int count, int of) {
    std::vector<std::string> made(static_cast<std::size_t>(count));
    for (int step = 0; step < count; ++step) {
        append_number(made[static_cast<std::size_t>(step)], std::int32_t{visit(step, of)});
    }
    return made;
}

constexpr int kUsers = 10'000; // as the case of selects in batches has

} // namespace

Answer run_select_one(Session& session, const Request& request) {
    Answer answer;
    if (!prepare_by_key(session, answer)) {
        return answer;
    }
    const std::vector<std::string> wanted = keys(request.count, request.size);
    const int length = 4;
    const int binary = 1;
    Digest digest;
    Stopwatch watch(session.server_pid);
    watch.start();
    for (const std::string& key : wanted) {
        const char* value = key.data();
        const Result result(PQexecPrepared(session.connection, kByKey, 1, &value, &length, &binary, 1));
        if (!good(session.connection, result.get(), answer)) {
            return answer;
        }
        digest.add(result.get());
    }
    answer.times = watch.stop();
    answer.digest = digest.text();
    return answer;
}

Answer run_select_batch(Session& session, const Request& request) {
    Answer answer;
    if (!prepare_by_key(session, answer)) {
        return answer;
    }
    const std::vector<std::string> wanted = keys(request.count, kUsers);
    const std::size_t batch = static_cast<std::size_t>(request.size);
    const int length = 4;
    const int binary = 1;
    Digest digest;
    PQenterPipelineMode(session.connection);
    Stopwatch watch(session.server_pid);
    watch.start();
    for (std::size_t start = 0; start < wanted.size() && answer.error.empty(); start += batch) {
        for (std::size_t step = start; step < start + batch && step < wanted.size(); ++step) {
            const char* value = wanted[step].data();
            PQsendQueryPrepared(session.connection, kByKey, 1, &value, &length, &binary, 1);
        }
        PQpipelineSync(session.connection);
        for (bool more = true; more;) {
            const Result result(PQgetResult(session.connection));
            if (result == nullptr) {
                continue;
            }
            more = PQresultStatus(result.get()) != PGRES_PIPELINE_SYNC;
            if (!good(session.connection, result.get(), answer)) {
                break;
            }
            digest.add(result.get());
        }
    }
    answer.times = watch.stop();
    PQexitPipelineMode(session.connection);
    answer.digest = digest.text();
    return answer;
}

Answer run_fetch(Session& session, const Request& request) {
    Answer answer;
    const std::string name = "all_of_" + session.table;
    if (!prepare(session.connection, name, "SELECT * FROM " + session.table, answer)) {
        return answer;
    }
    int rows = 0;
    std::uint64_t bytes = 0;
    Stopwatch watch(session.server_pid);
    watch.start();
    for (int done = 0; done < request.count; done += request.size) {
        const Result result(PQexecPrepared(session.connection, name.c_str(), 0, nullptr, nullptr, nullptr, 1));
        if (!good(session.connection, result.get(), answer)) {
            return answer;
        }
        rows = PQntuples(result.get());
        const int columns = PQnfields(result.get());
        for (int row = 0; row < rows; ++row) {
            for (int column = 0; column < columns; ++column) {
                bytes += static_cast<std::uint64_t>(PQgetlength(result.get(), row, column)) +
                         static_cast<std::uint8_t>(*PQgetvalue(result.get(), row, column));
            }
        }
    }
    answer.times = watch.stop();
    if (bytes == 0) {
        answer.error = "no bytes at all";
    }
    answer.digest = std::to_string(rows);
    return answer;
}

} // namespace floor_bench
