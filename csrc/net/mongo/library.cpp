// mongoc_init and the process-wide settings of libmongoc. No connections here.
#include "net/mongo/library.h"

#include <mongoc/mongoc.h>

#include <mutex>

#include "net/mongo/client.h"

namespace barewire::net::mongo {

namespace {

// Failures reach the caller through return values; libmongoc's own lines on stderr would only repeat them.
void ignore_log(mongoc_log_level_t, const char*, const char*, void*) {}

}  // namespace

void start_library(const Settings& settings) noexcept {
    static std::once_flag once;
    std::call_once(once, [&] {
        mongoc_log_set_handler(ignore_log, nullptr);
        mongoc_init();
        mongoc_handshake_data_append(settings.driver_name.c_str(), settings.driver_version.c_str(),
                                     settings.platform.empty() ? nullptr : settings.platform.c_str());
    });
}

}  // namespace barewire::net::mongo
