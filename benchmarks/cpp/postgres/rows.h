// Rows as binary parameters and as COPY data, equal to benchmarks/data/rows.py; every run checks what was stored.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace floor_bench {

inline constexpr int kSeven = 7;

// Appends numbers in network byte order.
template <typename Number> void append_number(std::string& out, Number number) {
    for (int shift = int{sizeof(Number) - 1} * 8; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>(static_cast<std::uint64_t>(number) >> shift));
    }
}

inline void append_double(std::string& out, double number) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &number, sizeof bits);
    append_number(out, bits);
}

// Index of the step-th visit among `of` rows; scattered, each once per round.
inline int visit(int step, int of) noexcept {
    return static_cast<int>((static_cast<long long>(step) * 7919) % of);
}

// The binary values of row `index` of the seven columns.
std::vector<std::string> seven(int index);

// The same for the six columns of a user.
std::vector<std::string> person(int index);

// COPY BINARY of `count` rows made by `make`, header and trailer included.
std::string copy_data(int count, std::vector<std::string> (*make)(int));

// Pointers and lengths of one row's values, as libpq wants them.
struct Parameters {
    explicit Parameters(const std::vector<std::string>& row);
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
};

} // namespace floor_bench
