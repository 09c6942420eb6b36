// The binary form of numeric <-> a decimal coefficient and exponent, or text; no objects.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/status.h"

namespace barewire::wire::pg {

// Values of the sign word.
inline constexpr std::uint16_t numeric_positive = 0x0000;
inline constexpr std::uint16_t numeric_negative = 0x4000;
inline constexpr std::uint16_t numeric_nan = 0xC000;
inline constexpr std::uint16_t numeric_infinity = 0xD000;
inline constexpr std::uint16_t numeric_minus_infinity = 0xF000;

inline constexpr std::size_t numeric_head_size = 8;
inline constexpr int max_numeric_scale = 0x3fff;   // digits behind the point
inline constexpr int max_numeric_weight = 0x7fff;  // of the first group of four digits

// A value whose bytes have been checked. `digits` are `count` big-endian groups of four decimal digits.
struct NumericValue {
    const std::uint8_t* digits = nullptr;
    int count = 0;
    int weight = 0;  // exponent of the first group in steps of 10,000
    std::uint16_t sign = 0;
    int scale = 0;   // decimal digits behind the point
    bool is_finite() const noexcept { return sign == numeric_positive || sign == numeric_negative; }
};

[[nodiscard]] base::Status read_numeric(const std::uint8_t* data, std::size_t size, NumericValue& value) noexcept;

// The value as coefficient x 10^-scale where the coefficient is below 10^19; false if it is larger.
[[nodiscard]] bool small_coefficient(const NumericValue& value, std::uint64_t& coefficient) noexcept;

// Decimal digits of the coefficient with exponent -scale, most significant first, without leading zeros ("" for zero),
// each as a character. Appended to `out`; false if memory is out.
[[nodiscard]] bool append_coefficient(const NumericValue& value, base::Buffer& out) noexcept;

// As the server prints it: "-12.300", "NaN", "Infinity". False if memory is out.
[[nodiscard]] bool append_numeric_text(const NumericValue& value, base::Buffer& out) noexcept;

// Most bytes that `put_small_numeric` writes.
inline constexpr std::size_t small_numeric_size = numeric_head_size + 2 * 6;

// Writes coefficient x 10^exponent, with -exponent (if positive) as scale. The coefficient is below 10^19. The end of what
// was written, or nullptr if the scale or the weight is out of bounds.
[[nodiscard]] std::uint8_t* put_small_numeric(std::uint8_t* at, bool negative, std::uint64_t coefficient,
                                              std::int64_t exponent) noexcept;

// The same for a coefficient of any length given by its decimal digits as characters. An error of size, or of memory.
[[nodiscard]] base::Status append_numeric(base::Buffer& out, bool negative, const char* digits, std::size_t count,
                                          std::int64_t exponent) noexcept;

inline constexpr const char* numeric_too_precise =
    "decimal too precise for PostgreSQL numeric binary format (maximum 16383 digits after the decimal point)";
inline constexpr const char* numeric_too_large =
    "decimal too large for PostgreSQL numeric binary format (maximum 131072 digits before the decimal point)";

// NaN and the infinities, by sign word.
[[nodiscard]] std::uint8_t* put_special_numeric(std::uint8_t* at, std::uint16_t sign) noexcept;

}  // namespace barewire::wire::pg
