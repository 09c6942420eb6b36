// BSON element types and binary subtypes (bsonspec.org, version 1.1); constants only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace barewire::wire::bson {

enum class Type : std::uint8_t {
    end = 0x00,
    float64 = 0x01,
    string = 0x02,
    document = 0x03,
    array = 0x04,
    binary = 0x05,
    undefined = 0x06,
    object_id = 0x07,
    boolean = 0x08,
    datetime = 0x09,
    null = 0x0A,
    regex = 0x0B,
    db_pointer = 0x0C,
    code = 0x0D,
    symbol = 0x0E,
    code_with_scope = 0x0F,
    int32 = 0x10,
    timestamp = 0x11,
    int64 = 0x12,
    decimal128 = 0x13,
    max_key = 0x7F,
    min_key = 0xFF,
};

enum class Subtype : std::uint8_t {
    generic = 0,
    function = 1,
    old_binary = 2,
    old_uuid = 3,
    uuid = 4,
    md5 = 5,
    encrypted = 6,
    column = 7,
    sensitive = 8,
    vector = 9,
};

// Length prefix and terminator of a document without elements.
inline constexpr std::size_t empty_document_size = 5;
// A length prefix is a signed 32-bit number.
inline constexpr std::size_t max_document_size = 0x7FFFFFFF;

}  // namespace barewire::wire::bson
