// Groups of four decimal digits and their weight, both ways.
#include "wire/pg/numeric.h"

#include <cstring>

#include "base/bytes.h"
#include "wire/pg/writer.h"

namespace barewire::wire::pg {

using base::load_big;
using base::Status;

namespace {

constexpr std::uint64_t powers_of_ten[] = {1ULL,
                                           10ULL,
                                           100ULL,
                                           1000ULL,
                                           10000ULL,
                                           100000ULL,
                                           1000000ULL,
                                           10000000ULL,
                                           100000000ULL,
                                           1000000000ULL,
                                           10000000000ULL,
                                           100000000000ULL,
                                           1000000000000ULL,
                                           10000000000000ULL,
                                           100000000000000ULL,
                                           1000000000000000ULL,
                                           10000000000000000ULL,
                                           100000000000000000ULL,
                                           1000000000000000000ULL,
                                           10000000000000000000ULL};
constexpr std::uint64_t coefficient_limit = powers_of_ten[19];

unsigned group(const NumericValue& value, int index) noexcept {
    return index < 0 || index >= value.count ? 0 : load_big<std::uint16_t>(value.digits + 2 * index);
}

std::uint8_t* put_head(std::uint8_t* at, int count, int weight, std::uint16_t sign, int scale) noexcept {
    at = put(at, static_cast<std::uint16_t>(count));
    at = put(at, static_cast<std::int16_t>(weight));
    at = put(at, sign);
    return put(at, static_cast<std::uint16_t>(scale));
}

}  // namespace

Status read_numeric(const std::uint8_t* data, std::size_t size, NumericValue& value) noexcept {
    if (size < numeric_head_size) return Status::error("numeric is too short", 0);
    value.count = load_big<std::uint16_t>(data);
    value.weight = load_big<std::int16_t>(data + 2);
    value.sign = load_big<std::uint16_t>(data + 4);
    value.scale = load_big<std::uint16_t>(data + 6);
    value.digits = data + numeric_head_size;
    if (size != numeric_head_size + 2 * static_cast<std::size_t>(value.count)) {
        return Status::error("numeric has another length than it says", numeric_head_size);
    }
    if (value.is_finite()) {
        if (value.scale > max_numeric_scale) return Status::error("bad scale of numeric", 6);
        for (int i = 0; i < value.count; ++i) {
            if (group(value, i) > 9999) return Status::error("bad digits of numeric", numeric_head_size + 2 * i);
        }
    } else if (value.sign != numeric_nan && value.sign != numeric_infinity && value.sign != numeric_minus_infinity) {
        return Status::error("bad sign of numeric", 4);
    }
    return Status::ok();
}

bool small_coefficient(const NumericValue& value, std::uint64_t& coefficient) noexcept {
    coefficient = 0;
    if (value.count > 4) return false;
    for (int i = 0; i < value.count; ++i) coefficient = coefficient * 10000 + group(value, i);
    const int shift = 4 * (value.weight - value.count + 1) + value.scale;
    if (coefficient == 0 || shift == 0) return true;
    if (shift < 0) {
        coefficient = shift > -20 ? coefficient / powers_of_ten[-shift] : 0;
        return true;
    }
    if (shift > 19) return false;
    const auto wide = static_cast<unsigned __int128>(coefficient) * powers_of_ten[shift];
    coefficient = static_cast<std::uint64_t>(wide);
    return wide < coefficient_limit;
}

namespace {

// The digits of groups from `first` on, `digits` in all, as characters.
bool append_digits(const NumericValue& value, int first, std::int64_t digits, base::Buffer& out) noexcept {
    if (digits <= 0) return true;
    if (!out.reserve(static_cast<std::size_t>(digits) + 4)) return false;
    std::uint8_t* at = out.tail();
    const std::int64_t groups = (digits + 3) / 4;
    for (std::int64_t i = 0; i < groups; ++i) {
        const unsigned four = group(value, static_cast<int>(first + i));
        at[0] = static_cast<std::uint8_t>('0' + four / 1000);
        at[1] = static_cast<std::uint8_t>('0' + four / 100 % 10);
        at[2] = static_cast<std::uint8_t>('0' + four / 10 % 10);
        at[3] = static_cast<std::uint8_t>('0' + four % 10);
        at += 4;
    }
    out.advance(static_cast<std::size_t>(digits));
    return true;
}

// Takes leading zeros off what was appended from `start` on, but leaves `least` characters.
void strip_zeros(base::Buffer& out, std::size_t start, std::size_t least) noexcept {
    std::uint8_t* const text = out.data() + start;
    const std::size_t size = out.size() - start;
    std::size_t zeros = 0;
    while (size - zeros > least && text[zeros] == '0') ++zeros;
    if (zeros == 0) return;
    std::memmove(text, text + zeros, size - zeros);
    out.truncate(start + size - zeros);
}

}  // namespace

bool append_coefficient(const NumericValue& value, base::Buffer& out) noexcept {
    const std::size_t start = out.size();
    // Position of the first digit of group 0, counted from the point: four per weight.
    if (!append_digits(value, 0, 4 * (std::int64_t{value.weight} + 1) + value.scale, out)) return false;
    strip_zeros(out, start, 0);
    return true;
}

bool append_numeric_text(const NumericValue& value, base::Buffer& out) noexcept {
    if (value.sign == numeric_nan) return out.append("NaN", 3);
    if (value.sign == numeric_minus_infinity || value.sign == numeric_negative) {
        if (!out.append("-", 1)) return false;
    }
    if (!value.is_finite()) return out.append("Infinity", 8);
    const std::size_t start = out.size();
    if (value.weight < 0) {
        if (!out.append("0", 1)) return false;
    } else {
        if (!append_digits(value, 0, 4 * (std::int64_t{value.weight} + 1), out)) return false;
        strip_zeros(out, start, 1);
    }
    if (value.scale == 0) return true;
    return out.append(".", 1) && append_digits(value, value.weight + 1, value.scale, out);
}

std::uint8_t* put_small_numeric(std::uint8_t* at, bool negative, std::uint64_t coefficient,
                                std::int64_t exponent) noexcept {
    const std::int64_t scale = exponent < 0 ? -exponent : 0;
    if (scale > max_numeric_scale) return nullptr;
    // Zero carries no sign and no groups.
    if (coefficient == 0) return put_head(at, 0, 0, numeric_positive, static_cast<int>(scale));
    // Moves the point to a border of groups: exponent = 4 * shift - padding.
    std::int64_t shift = exponent / 4;
    int padding = static_cast<int>(exponent - shift * 4);
    if (padding < 0) {
        padding += 4;
        --shift;
    }
    auto rest = static_cast<unsigned __int128>(coefficient) * powers_of_ten[padding];
    std::uint16_t groups[6];  // the lowest first
    int count = 0;
    while (rest > UINT64_MAX) {
        groups[count++] = static_cast<std::uint16_t>(rest % 10000);
        rest /= 10000;
    }
    for (auto low = static_cast<std::uint64_t>(rest); low != 0; low /= 10000) {
        groups[count++] = static_cast<std::uint16_t>(low % 10000);
    }
    int zeros = 0;
    while (groups[zeros] == 0) ++zeros;
    const std::int64_t weight = count - 1 + shift;
    if (weight > max_numeric_weight) return nullptr;
    at = put_head(at, count - zeros, static_cast<int>(weight), negative ? numeric_negative : numeric_positive,
                  static_cast<int>(scale));
    for (int i = count; i-- > zeros;) at = put(at, groups[i]);
    return at;
}

Status append_numeric(base::Buffer& out, bool negative, const char* digits, std::size_t count,
                      std::int64_t exponent) noexcept {
    const Status memory = Status::error("out of memory");
    while (count > 0 && *digits == '0') {
        ++digits;
        --count;
    }
    const std::int64_t scale = exponent < 0 ? -exponent : 0;
    if (scale > max_numeric_scale) return Status::error(numeric_too_precise);
    while (count > 0 && digits[count - 1] == '0') {
        --count;
        ++exponent;
    }
    if (count == 0) {
        if (!out.reserve(numeric_head_size)) return memory;
        out.advance(static_cast<std::size_t>(
            put_head(out.tail(), 0, 0, numeric_positive, static_cast<int>(scale)) - out.tail()));
        return Status::ok();
    }
    const auto size = static_cast<std::int64_t>(count);
    // The exponent of the first digit, counted in groups, and how many digits its group has.
    const std::int64_t first = size - 1 + exponent;
    std::int64_t weight = first / 4;
    if (first < 0 && first % 4 != 0) --weight;
    if (weight > max_numeric_weight) return Status::error(numeric_too_large);
    const auto leading = static_cast<int>(first - 4 * weight) + 1;
    const std::int64_t groups = (size - leading + 3) / 4 + 1;
    if (!out.reserve(numeric_head_size + 2 * static_cast<std::size_t>(groups))) return memory;
    std::uint8_t* at = put_head(out.tail(), static_cast<int>(groups), static_cast<int>(weight),
                                negative ? numeric_negative : numeric_positive, static_cast<int>(scale));
    std::int64_t next = leading - 4;  // the first group is filled up with zeros on the left
    for (std::int64_t i = 0; i < groups; ++i) {
        unsigned four = 0;
        for (int k = 0; k < 4; ++k, ++next) {
            four = four * 10 + (next >= 0 && next < size ? static_cast<unsigned>(digits[next] - '0') : 0);
        }
        at = put(at, static_cast<std::uint16_t>(four));
    }
    out.advance(static_cast<std::size_t>(at - out.tail()));
    return Status::ok();
}

std::uint8_t* put_special_numeric(std::uint8_t* at, std::uint16_t sign) noexcept {
    // The server writes the infinities with a scale of 32, NaN without.
    return put_head(at, 0, 0, sign, sign == numeric_nan ? 0 : 0x20);
}

}  // namespace barewire::wire::pg
