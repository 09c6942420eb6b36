// Seeding, fork handling and the counter of the ObjectId generator; no Python here.
#include "wire/bson/oid.h"

#include <pthread.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <cstring>

#include "base/bytes.h"

namespace barewire::wire::bson {

namespace {

// Fills from the kernel's generator; if that is impossible (no entropy source at all) from clock and process id, which
// keeps ids unique on one machine.
void fill_random(std::uint8_t* out, std::size_t size) noexcept {
    if (getentropy(out, size) == 0) return;
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    std::uint64_t state = static_cast<std::uint64_t>(now.tv_nsec) ^ (static_cast<std::uint64_t>(getpid()) << 32);
    for (std::size_t i = 0; i < size; ++i) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        out[i] = static_cast<std::uint8_t>(state >> 56);
    }
}

}  // namespace

void ObjectIdBlock::next(std::uint8_t* out) noexcept {
    std::memcpy(out, prefix_, sizeof prefix_);
    out[9] = static_cast<std::uint8_t>(counter_ >> 16);
    out[10] = static_cast<std::uint8_t>(counter_ >> 8);
    out[11] = static_cast<std::uint8_t>(counter_);
    ++counter_;
}

ObjectIdGenerator& ObjectIdGenerator::instance() noexcept {
    static ObjectIdGenerator generator;
    return generator;
}

ObjectIdGenerator::ObjectIdGenerator() noexcept {
    seed();
    pthread_atfork(nullptr, nullptr, &ObjectIdGenerator::in_child);
}

void ObjectIdGenerator::seed() noexcept {
    std::uint8_t bytes[9];
    fill_random(bytes, sizeof bytes);
    // Relaxed: published by the static's initialisation guard, or by fork itself.
    random_.store(base::load_little<std::uint64_t>(bytes) & 0xFFFFFFFFFFull, std::memory_order_relaxed);
    counter_.store(base::load_little<std::uint32_t>(bytes + 5), std::memory_order_relaxed);
}

void ObjectIdGenerator::in_child() noexcept { instance().seed(); }

ObjectIdBlock ObjectIdGenerator::take(std::uint32_t count) noexcept {
    ObjectIdBlock block;
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    base::store_big(block.prefix_, static_cast<std::uint32_t>(now.tv_sec));
    std::uint8_t random[8];
    base::store_little(random, random_.load(std::memory_order_relaxed));
    std::memcpy(block.prefix_ + 4, random, 5);
    // Relaxed: only uniqueness matters. It wraps at 2**32, a multiple of the 2**24 values that are used.
    block.counter_ = counter_.fetch_add(count, std::memory_order_relaxed);
    return block;
}

}  // namespace barewire::wire::bson
