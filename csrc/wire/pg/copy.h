// The COPY BINARY stream: header, trailer, and the fields of its rows; no values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "wire/pg/reader.h"

namespace barewire::wire::pg {

inline constexpr std::size_t copy_header_size = 19;

// Signature, flags and an empty extension. False if memory is out.
[[nodiscard]] bool append_copy_header(base::Buffer& out) noexcept;
// The field count -1 that ends the stream.
[[nodiscard]] bool append_copy_trailer(base::Buffer& out) noexcept;

// What became of an attempt to read a row.
enum class CopyNext {
    row,
    end,         // the trailer was read
    incomplete,  // the data ends before the row does; nothing was taken
    broken       // the data is no such stream
};

// Reads a stream that may come in pieces: a reader per piece, which begins where the last one stopped. The server never
// splits a row, and never puts anything before the header.
class CopyReader {
public:
    CopyReader(const std::uint8_t* data, std::size_t size) noexcept : start_(data), reader_(data, size) {}

    // Takes the header from the beginning of the stream: row for taken, else incomplete or broken.
    CopyNext header() noexcept;
    // Appends the fields of one row, of which there must be `columns`. May throw std::bad_alloc.
    CopyNext next(std::size_t columns, std::vector<Field>& fields);
    // Bytes taken so far.
    std::size_t taken() const noexcept { return static_cast<std::size_t>(reader_.at() - start_); }

private:
    const std::uint8_t* start_;
    Reader reader_;
};

}  // namespace barewire::wire::pg
