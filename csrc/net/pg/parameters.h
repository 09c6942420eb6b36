// The parameters of one execution of a statement, written one after the other into one arena. What the bytes mean may not
// live here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/buffer.h"

namespace barewire::net::pg {

// Kept by a connection and reused for every execution: no allocation once it has grown. Use:
//     const std::size_t from = parameters.bytes.size();
//     ... append the value's bytes to parameters.bytes ...
//     if (!parameters.add(from)) out of memory;
class Parameters {
public:
    base::Buffer bytes;

    // The bytes since `from` are the next parameter. False: out of memory.
    [[nodiscard]] bool add(std::size_t from, bool binary = true) noexcept;
    [[nodiscard]] bool add_null() noexcept;
    // The bytes since `from` are the next `count` parameters, all binary, each after its length (int32; -1: NULL).
    [[nodiscard]] bool add_fields(std::size_t from, std::size_t count) noexcept;
    std::size_t count() const noexcept { return lengths_.size(); }
    // For text that must be ended by a NUL: libpq reads parameters in text format up to it. add() does so for text.
    void clear() noexcept {
        bytes.clear();
        offsets_.clear();
        lengths_.clear();
        formats_.clear();
    }

    // Gives the memory of unusually large parameters back.
    void trim() noexcept {
        if (bytes.capacity() <= kept_size) return;
        clear();
        bytes.trim(kept_size);
    }

    // For the connection: libpq's arrays, valid until the next change. False: out of memory.
    [[nodiscard]] bool arrange() noexcept;
    const char* const* values() const noexcept { return pointers_.data(); }
    const int* lengths() const noexcept { return lengths_.data(); }
    const int* formats() const noexcept { return formats_.data(); }

private:
    static constexpr std::size_t kept_size = 1 << 20;
    static constexpr std::size_t null_offset = static_cast<std::size_t>(-1);
    std::vector<std::size_t> offsets_;
    std::vector<int> lengths_, formats_;
    std::vector<const char*> pointers_;
};

}  // namespace barewire::net::pg
