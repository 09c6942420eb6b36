// libpq's arrays over the arena, filled value by value and field by field.
#include "net/pg/parameters.h"

#include <string>
#include <string_view>

#include "support/catch.h"

using barewire::net::pg::Parameters;

namespace {

void append(Parameters& parameters, std::string_view bytes) { REQUIRE(parameters.bytes.append(bytes.data(), bytes.size())); }

void append_field(Parameters& parameters, int length, std::string_view bytes) {
    const std::uint8_t head[] = {static_cast<std::uint8_t>(length >> 24), static_cast<std::uint8_t>(length >> 16),
                                 static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)};
    REQUIRE(parameters.bytes.append(head, 4));
    append(parameters, bytes);
}

std::string value(const Parameters& parameters, std::size_t at) {
    return {parameters.values()[at], static_cast<std::size_t>(parameters.lengths()[at])};
}

}  // namespace

TEST_CASE("fields are parameters like single values", "[pg][parameters]") {
    Parameters single, fields;
    append(single, "abc");
    REQUIRE(single.add(0));
    REQUIRE(single.add_null());
    REQUIRE(single.add(3));
    append(single, "xy");
    REQUIRE(single.add(3));

    append_field(fields, 3, "abc");
    append_field(fields, -1, "");
    REQUIRE(fields.add_fields(0, 2));
    const std::size_t from = fields.bytes.size();
    append_field(fields, 0, "");
    append_field(fields, 2, "xy");
    REQUIRE(fields.add_fields(from, 2));

    for (Parameters* each : {&single, &fields}) {
        REQUIRE(each->arrange());
        REQUIRE(each->count() == 4);
        CHECK(value(*each, 0) == "abc");
        CHECK(each->values()[1] == nullptr);
        CHECK(each->values()[2] != nullptr);
        CHECK(each->lengths()[2] == 0);
        CHECK(value(*each, 3) == "xy");
        for (std::size_t at = 0; at < 4; ++at) CHECK(each->formats()[at] == 1);
    }

    // Used again, formats are what they are then.
    fields.clear();
    append(fields, "t");
    REQUIRE(fields.add(0, false));
    REQUIRE(fields.arrange());
    CHECK(fields.formats()[0] == 0);
    CHECK(std::string(fields.values()[0]) == "t");
}
