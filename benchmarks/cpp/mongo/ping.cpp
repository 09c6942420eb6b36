// Floor of a round trip that does nothing.
#include "session.h"

namespace floor_bench {

Answer run_ping(Session& session, const Request& request) {
    bson_t* command = BCON_NEW("ping", BCON_INT32(1));
    Answer answer;
    int good = 0;
    Stopwatch watch(session.server_pid);
    watch.start();
    for (int step = 0; step < request.count; ++step) {
        bson_t reply;
        bson_error_t error;
        if (!mongoc_client_command_simple(session.client, "admin", command, nullptr, &reply, &error)) {
            answer.error = error.message;
        } else {
            ++good;
        }
        bson_destroy(&reply);
    }
    answer.times = watch.stop();
    answer.digest = std::to_string(good) + ":0";
    bson_destroy(command);
    return answer;
}

} // namespace floor_bench
