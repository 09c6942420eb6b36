// All parameters of one execution, field after field.
#include "walk/pg_encode.h"
#include "walk/pg_encoder.h"
#include "walk/pg_write_field.h"

namespace barewire::walk {

bool pg_encode_fields(PgEncoding& encoding, const PgType* const* types, PyObject* const* values, std::size_t count,
                      base::Buffer& out, PgOrigin origin) {
    const std::size_t start = out.size();
    PgEncoder encoder(encoding, out);
    for (std::size_t i = 0; i < count; ++i) {
        if (BAREWIRE_LIKELY(write_pg_common_field(encoder, *types[i], values[i]))) continue;
        origin.parameter = i + 1;
        locate_pg_error(encoder, origin);
        encoder.flush();
        out.truncate(start);
        return false;
    }
    encoder.flush();
    return true;
}

}  // namespace barewire::walk
