// Tests of wire/pg/copy and reader: streams in one piece and cut anywhere.
#include "wire/pg/copy.h"

#include <string>
#include <vector>

#include "support/catch.h"
#include "wire/pg/writer.h"

using namespace barewire;
using namespace barewire::wire::pg;

namespace {

void append_row(base::Buffer& out, const std::vector<const char*>& fields) {
    REQUIRE(out.reserve(1000));
    std::uint8_t* at = put(out.tail(), static_cast<std::int16_t>(fields.size()));
    for (const char* field : fields) {
        if (field == nullptr) {
            at = put(at, null_length);
            continue;
        }
        const std::string text = field;
        at = put_bytes(put(at, static_cast<std::int32_t>(text.size())), text.data(), text.size());
    }
    out.advance(static_cast<std::size_t>(at - out.tail()));
}

std::string text_of(const Field& field) {
    return field.is_null() ? "NULL" : std::string(reinterpret_cast<const char*>(field.data), field.size);
}

}  // namespace

TEST_CASE("COPY BINARY: a stream reads back as it was written") {
    base::Buffer stream;
    REQUIRE(append_copy_header(stream));
    REQUIRE(stream.size() == copy_header_size);
    append_row(stream, {"one", nullptr});
    append_row(stream, {"", "two"});
    REQUIRE(append_copy_trailer(stream));

    CopyReader reader(stream.data(), stream.size());
    std::vector<Field> fields;
    REQUIRE(reader.header() == CopyNext::row);
    REQUIRE(reader.next(2, fields) == CopyNext::row);
    REQUIRE(reader.next(2, fields) == CopyNext::row);
    REQUIRE(reader.next(2, fields) == CopyNext::end);
    REQUIRE(reader.taken() == stream.size());
    REQUIRE(fields.size() == 4);
    REQUIRE(text_of(fields[0]) == "one");
    REQUIRE(text_of(fields[1]) == "NULL");
    REQUIRE(text_of(fields[2]).empty());
    REQUIRE(text_of(fields[3]) == "two");
}

TEST_CASE("COPY BINARY: a stream that is cut is incomplete, wherever it is cut") {
    base::Buffer stream;
    REQUIRE(append_copy_header(stream));
    for (std::size_t size = 0; size < stream.size(); ++size) {
        CopyReader reader(stream.data(), size);
        REQUIRE(reader.header() == CopyNext::incomplete);
        REQUIRE(reader.taken() == 0);
    }
    base::Buffer row;
    append_row(row, {"one", nullptr, "three"});
    for (std::size_t size = 0; size < row.size(); ++size) {
        CopyReader reader(row.data(), size);
        std::vector<Field> fields;
        REQUIRE(reader.next(3, fields) == CopyNext::incomplete);
        REQUIRE(fields.empty());
        REQUIRE(reader.taken() == 0);
    }
}

TEST_CASE("COPY BINARY: what is no such stream is broken") {
    base::Buffer stream;
    REQUIRE(append_copy_header(stream));
    for (std::size_t i = 0; i < 11; ++i) {
        base::Buffer other;
        REQUIRE(other.append(stream.data(), stream.size()));
        other.data()[i] ^= 0x20;
        REQUIRE(CopyReader(other.data(), other.size()).header() == CopyNext::broken);
    }
    stream.data()[11] = 1;  // a flag that readers must understand
    REQUIRE(CopyReader(stream.data(), stream.size()).header() == CopyNext::broken);
    stream.data()[11] = 0;
    stream.data()[15] = 0x80;  // an extension of negative size
    REQUIRE(CopyReader(stream.data(), stream.size()).header() == CopyNext::broken);

    std::vector<Field> fields;
    base::Buffer row;
    append_row(row, {"a"});
    REQUIRE(CopyReader(row.data(), row.size()).next(2, fields) == CopyNext::broken);
    row.data()[2] = 0x80;  // a length below -1
    REQUIRE(CopyReader(row.data(), row.size()).next(1, fields) == CopyNext::broken);
    const std::uint8_t negative[] = {0xff, 0xfe};
    REQUIRE(CopyReader(negative, sizeof negative).next(1, fields) == CopyNext::broken);
    REQUIRE(fields.empty());
}

TEST_CASE("COPY BINARY: an extension of the header is skipped") {
    base::Buffer stream;
    REQUIRE(append_copy_header(stream));
    stream.data()[18] = 3;
    REQUIRE(stream.append("xyz", 3));
    CopyReader reader(stream.data(), stream.size());
    REQUIRE(reader.header() == CopyNext::row);
    REQUIRE(reader.taken() == stream.size());
}

TEST_CASE("Reader: nothing is taken that is not there") {
    const std::uint8_t bytes[] = {0, 0, 0, 2, 'a', 'b', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe};
    Reader reader(bytes, sizeof bytes);
    Field field;
    REQUIRE(reader.take_field(field));
    REQUIRE(text_of(field) == "ab");
    REQUIRE(reader.take_field(field));
    REQUIRE(field.is_null());
    REQUIRE_FALSE(reader.take_field(field));
    Reader empty(bytes, 0);
    std::int64_t number = 0;
    double real = 0;
    const std::uint8_t* data = nullptr;
    REQUIRE_FALSE(empty.take(number));
    REQUIRE_FALSE(empty.take_double(real));
    REQUIRE_FALSE(empty.take_bytes(1, data));
    REQUIRE(empty.take_bytes(0, data));
    REQUIRE(empty.at_end());
}
