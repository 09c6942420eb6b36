// Generation of ObjectIds: 4 bytes of time, 5 random bytes of the process, a 3-byte counter; no Python here.
// Source: MongoDB specifications, source/bson-objectid/objectid.md.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace barewire::wire::bson {

inline constexpr std::size_t object_id_size = 12;
using ObjectIdBytes = std::array<std::uint8_t, object_id_size>;

// Ids that share one reading of the clock and consecutive counter values; `next` may be called `count` times.
class ObjectIdBlock {
public:
    // Writes the next 12 bytes of the block to `out`.
    void next(std::uint8_t* out) noexcept;
    ObjectIdBytes next() noexcept {
        ObjectIdBytes id;
        next(id.data());
        return id;
    }

private:
    friend class ObjectIdGenerator;
    std::uint8_t prefix_[9];      // time and random bytes, as on the wire
    std::uint32_t counter_ = 0;
};

// One per process, because the random bytes stand for the process. Any thread may call it; a forked child gets new
// random bytes and a new counter.
class ObjectIdGenerator {
public:
    static ObjectIdGenerator& instance() noexcept;
    ObjectIdGenerator(const ObjectIdGenerator&) = delete;
    ObjectIdGenerator& operator=(const ObjectIdGenerator&) = delete;

    ObjectIdBlock take(std::uint32_t count) noexcept;
    void next(std::uint8_t* out) noexcept { take(1).next(out); }

private:
    ObjectIdGenerator() noexcept;
    void seed() noexcept;
    static void in_child() noexcept;

    // The low 40 bits are the random bytes. Written at start and in a forked child, which has one thread only.
    std::atomic<std::uint64_t> random_{0};
    std::atomic<std::uint32_t> counter_{0};
};

}  // namespace barewire::wire::bson
