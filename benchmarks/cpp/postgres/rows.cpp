// The values of rows; built before any clock starts.
#include "rows.h"

namespace floor_bench {

namespace {

constexpr const char* kCities[] = {"Amsterdam", "Berlin", "Lisbon", "Prague", "Vienna"};

std::string int4(std::int32_t number) {
    std::string out;
    append_number(out, number);
    return out;
}

std::string float8(double number) {
    std::string out;
    append_double(out, number);
    return out;
}

} // namespace

std::vector<std::string> seven(int index) {
    return {int4(index), int4(11), int4(10), "TESTTESTTEST", float8(10.333), int4(12'341'234), "123412341234"};
}

std::vector<std::string> person(int index) {
    const std::string number = std::to_string(index);
    return {"User" + number,     "user" + number + "@example.com", int4(20 + index % 50),
            kCities[index % 5], float8(index * 1.5),               std::string(1, index % 2 == 0 ? '\1' : '\0')};
}

std::string copy_data(int count, std::vector<std::string> (*make)(int)) {
    std::string out("PGCOPY\n\377\r\n\0", 11);
    append_number(out, std::int32_t{0}); // flags
    append_number(out, std::int32_t{0}); // length of the header's extension
    for (int index = 0; index < count; ++index) {
        const std::vector<std::string> row = make(index);
        append_number(out, static_cast<std::int16_t>(row.size()));
        for (const std::string& value : row) {
            append_number(out, static_cast<std::int32_t>(value.size()));
            out += value;
        }
    }
    append_number(out, std::int16_t{-1});
    return out;
}

Parameters::Parameters(const std::vector<std::string>& row) {
    for (const std::string& value : row) {
        values.push_back(value.data());
        lengths.push_back(static_cast<int>(value.size()));
        formats.push_back(1);
    }
}

} // namespace floor_bench
