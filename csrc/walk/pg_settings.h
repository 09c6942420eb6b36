// What a PostgreSQL session adds to the codec: its time zone, its encoding, its JSON functions; no values, no walking.
#pragma once

#include <string>

#include "py/ref.h"

namespace barewire::walk {

struct PgSettings {
    py::Ref timezone;      // tzinfo of the session's TimeZone; empty or datetime.timezone.utc: UTC
    py::Ref json_loads;    // called with bytes, like psycopg's; empty: json.loads
    py::Ref json_dumps;    // returns str or bytes; empty: json.dumps
    std::string encoding;  // Python codec of client_encoding if it is not UTF-8; "bytes" (SQL_ASCII): text stays bytes
};

}  // namespace barewire::walk
