// Connection and the table of operations, which live in their own files.
//
// usage: postgres_floor URI DATABASE TABLE SERVER_PID      (then as in ../frame.cpp; the URI names the database too)
#include <cstdlib>
#include <iostream>

#include "session.h"

int main(int argc, char** argv) {
    using namespace floor_bench;
    if (argc != 5) {
        std::cout << "error usage: postgres_floor URI DATABASE TABLE SERVER_PID" << std::endl;
        return 2;
    }
    PGconn* connection = PQconnectdb(argv[1]);
    if (PQstatus(connection) != CONNECTION_OK) {
        std::cout << "error " << one_line(PQerrorMessage(connection)) << std::endl;
        PQfinish(connection);
        return 1;
    }
    Session session{connection, argv[3], std::atoi(argv[4])};
    std::cout << "ready " << PQlibVersion() << std::endl;
    const auto on = [&session](Answer (*operation)(Session&, const Request&)) {
        return [&session, operation](const Request& request) { return operation(session, request); };
    };
    serve({
        {"select_one", on(run_select_one)},
        {"select_batch", on(run_select_batch)},
        {"fetch", on(run_fetch)},
        {"insert_commit", on(run_insert_commit)},
        {"executemany", on(run_executemany)},
        {"copy", on(run_copy)},
        {"copy_people", on(run_copy_people)},
    });
    PQfinish(connection);
    return 0;
}
