// Fuzz target of wire/pg: COPY BINARY streams in any pieces, and numerics; what is accepted must lie inside the input.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "wire/pg/copy.h"
#include "wire/pg/numeric.h"

using namespace barewire;
using namespace barewire::wire::pg;

namespace {

volatile std::uint64_t sink;

void read_as_numeric(const std::uint8_t* data, std::size_t size) {
    NumericValue value;
    if (!read_numeric(data, size, value)) return;
    base::Buffer text, digits;
    // A weight of 32,767 is a text of 131,072 digits: slow to fuzz, not wrong.
    if (value.weight > 100 || !append_numeric_text(value, text)) return;
    if (!value.is_finite()) return;
    std::uint64_t coefficient = 0;
    const bool small = small_coefficient(value, coefficient);
    if (!append_coefficient(value, digits)) return;
    if (small) {
        std::uint64_t parsed = 0;
        for (std::size_t i = 0; i < digits.size(); ++i) parsed = parsed * 10 + (digits.data()[i] - '0');
        if (parsed != coefficient) std::abort();
    }
    sink = text.size();
}

std::size_t read_rows(const std::uint8_t* data, std::size_t size, std::size_t columns) {
    CopyReader reader(data, size);
    std::vector<Field> fields;
    if (reader.header() != CopyNext::row) return 0;
    std::size_t rows = 0;
    while (reader.next(columns, fields) == CopyNext::row) {
        ++rows;
        if (columns == 0 && rows > 100) break;
    }
    if (fields.size() != rows * columns || reader.taken() > size) std::abort();
    for (const Field& field : fields) {
        if (field.is_null()) continue;
        if (field.data < data || field.data + field.size > data + reader.taken()) std::abort();
        read_as_numeric(field.data, field.size);
    }
    return rows;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    for (std::size_t columns = 0; columns < 6; ++columns) sink = read_rows(data, size, columns);
    read_as_numeric(data, size);
    return 0;
}
