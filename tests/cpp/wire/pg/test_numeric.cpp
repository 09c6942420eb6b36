// Tests of wire/pg/numeric: known bytes, both ways against arithmetic on digits, and refusals.
#include "wire/pg/numeric.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "support/catch.h"

using namespace barewire;
using namespace barewire::wire::pg;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(const base::Buffer& buffer) { return {buffer.data(), buffer.data() + buffer.size()}; }

Bytes small(bool negative, std::uint64_t coefficient, std::int64_t exponent) {
    Bytes out(small_numeric_size);
    std::uint8_t* end = put_small_numeric(out.data(), negative, coefficient, exponent);
    REQUIRE(end != nullptr);
    out.resize(static_cast<std::size_t>(end - out.data()));
    return out;
}

Bytes large(bool negative, const std::string& digits, std::int64_t exponent) {
    base::Buffer out;
    REQUIRE(append_numeric(out, negative, digits.data(), digits.size(), exponent));
    return bytes_of(out);
}

std::string text(const Bytes& bytes) {
    NumericValue value;
    REQUIRE(read_numeric(bytes.data(), bytes.size(), value));
    base::Buffer out;
    REQUIRE(append_numeric_text(value, out));
    return {reinterpret_cast<const char*>(out.data()), out.size()};
}

// What the digits with this exponent look like as text.
std::string expected(bool negative, std::string digits, std::int64_t exponent) {
    digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
    if (exponent > 0 && digits != "0") digits.append(static_cast<std::size_t>(exponent), '0');
    std::string fraction;
    if (exponent < 0) {
        const auto scale = static_cast<std::size_t>(-exponent);
        if (digits.size() <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
        fraction = "." + digits.substr(digits.size() - scale);
        digits.erase(digits.size() - scale);
    }
    const bool zero = (digits + fraction).find_first_not_of("0.") == std::string::npos;
    return (negative && !zero ? "-" : "") + digits + fraction;
}

}  // namespace

TEST_CASE("numeric: bytes of known values") {
    REQUIRE(small(false, 0, -2) == Bytes{0, 0, 0, 0, 0, 0, 0, 2});
    REQUIRE(small(true, 0, 0) == Bytes{0, 0, 0, 0, 0, 0, 0, 0});
    REQUIRE(small(false, 10000, 0) == Bytes{0, 1, 0, 1, 0, 0, 0, 0, 0, 1});
    REQUIRE(small(true, 1234500, -4) == Bytes{0, 2, 0, 0, 0x40, 0, 0, 4, 0, 0x7b, 0x11, 0x94});
    REQUIRE(small(false, 1, -5) == Bytes{0, 1, 0xff, 0xfe, 0, 0, 0, 5, 0x03, 0xe8});
    REQUIRE(small(false, 1, 5) == Bytes{0, 1, 0, 1, 0, 0, 0, 0, 0, 10});
}

TEST_CASE("numeric: short and long coefficients agree, and read back as what was written") {
    std::mt19937_64 random(11);
    for (int round = 0; round < 20000; ++round) {
        const std::uint64_t coefficient = (random() % 10000000000000000000u) >> (random() % 64);
        const auto exponent = static_cast<std::int64_t>(random() % 81) - 50;
        const bool negative = random() % 2 != 0;
        const std::string digits = std::to_string(coefficient);
        const Bytes bytes = small(negative, coefficient, exponent);
        REQUIRE(bytes == large(negative, digits, exponent));
        REQUIRE(text(bytes) == expected(negative, digits, exponent));
        NumericValue value;
        REQUIRE(read_numeric(bytes.data(), bytes.size(), value));
        std::uint64_t back = 0;
        if (small_coefficient(value, back) && exponent <= 0) REQUIRE(back == coefficient);
    }
}

TEST_CASE("numeric: coefficients of hundreds of digits") {
    std::mt19937_64 random(12);
    for (int round = 0; round < 2000; ++round) {
        std::string digits;
        for (std::size_t count = 1 + random() % 300; digits.size() < count;) digits += static_cast<char>('0' + random() % 10);
        const auto exponent = static_cast<std::int64_t>(random() % 400) - 200;
        const Bytes bytes = large(false, digits, exponent);
        REQUIRE(text(bytes) == expected(false, digits, exponent));
        NumericValue value;
        REQUIRE(read_numeric(bytes.data(), bytes.size(), value));
        base::Buffer coefficient;
        REQUIRE(append_coefficient(value, coefficient));
        std::string whole = expected(false, digits, exponent);
        whole.erase(std::remove(whole.begin(), whole.end(), '.'), whole.end());
        whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
        REQUIRE(std::string(reinterpret_cast<const char*>(coefficient.data()), coefficient.size()) == whole);
    }
}

TEST_CASE("numeric: what is out of bounds") {
    std::uint8_t out[small_numeric_size];
    REQUIRE(put_small_numeric(out, false, 1, -max_numeric_scale) != nullptr);
    REQUIRE(put_small_numeric(out, false, 1, -max_numeric_scale - 1) == nullptr);
    REQUIRE(put_small_numeric(out, false, 1, 4 * (max_numeric_weight + 1) - 1) != nullptr);
    REQUIRE(put_small_numeric(out, false, 1, 4 * (max_numeric_weight + 1)) == nullptr);
    base::Buffer buffer;
    REQUIRE(append_numeric(buffer, false, "1", 1, -max_numeric_scale - 1).message == std::string(numeric_too_precise));
    REQUIRE(append_numeric(buffer, false, "1", 1, 4 * (max_numeric_weight + 1)).message == std::string(numeric_too_large));
    REQUIRE(buffer.empty());
}

TEST_CASE("numeric: special values") {
    std::uint8_t out[numeric_head_size];
    for (const auto& [sign, spelled] : {std::pair{numeric_nan, "NaN"}, {numeric_infinity, "Infinity"}, {numeric_minus_infinity, "-Infinity"}}) {
        REQUIRE(put_special_numeric(out, sign) == out + numeric_head_size);
        REQUIRE(text(Bytes(out, out + numeric_head_size)) == spelled);
    }
}

TEST_CASE("numeric: broken bytes are refused") {
    const Bytes good = small(true, 123456789, -3);
    NumericValue value;
    for (std::size_t size = 0; size < good.size(); ++size) REQUIRE_FALSE(read_numeric(good.data(), size, value));
    Bytes longer = good;
    longer.push_back(0);
    REQUIRE_FALSE(read_numeric(longer.data(), longer.size(), value));
    Bytes digits = good;
    digits[8] = 0x27;
    digits[9] = 0x10;  // 10000 in a group of four digits
    REQUIRE_FALSE(read_numeric(digits.data(), digits.size(), value));
    Bytes sign = good;
    sign[4] = 0x80;
    REQUIRE_FALSE(read_numeric(sign.data(), sign.size(), value));
    Bytes scale = good;
    scale[6] = 0x40;
    REQUIRE_FALSE(read_numeric(scale.data(), scale.size(), value));
}

TEST_CASE("numeric: digits behind the scale are cut, not read") {
    // 1.5 that claims to have no digits behind the point.
    const Bytes odd = {0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0x13, 0x88};
    REQUIRE(text(odd) == "1");
    NumericValue value;
    REQUIRE(read_numeric(odd.data(), odd.size(), value));
    std::uint64_t coefficient = 0;
    REQUIRE(small_coefficient(value, coefficient));
    REQUIRE(coefficient == 1);
}
