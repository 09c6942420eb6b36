// The pool of server sessions and the cluster time.
#include "net/mongo/session.h"

#include "net/mongo/cluster_time.h"
#include "net/mongo/live.h"

using namespace barewire::test;

TEST_CASE("sessions are random, reused last first, and dropped when old or dirty") {
    SessionPool pool;
    auto one = pool.acquire(30);
    auto two = pool.acquire(30);
    REQUIRE(std::memcmp(one->id, two->id, 16) != 0);
    REQUIRE((one->id[6] >> 4) == 4);
    REQUIRE((one->id[8] >> 6) == 2);
    const ServerSession *first = one.get(), *second = two.get();
    pool.release(std::move(one), 30);
    pool.release(std::move(two), 30);
    two = pool.acquire(30);
    one = pool.acquire(30);
    REQUIRE((two.get() == second && one.get() == first));
    one->dirty = true;
    pool.release(std::move(one), 30);
    two->last_use = Clock::now() - std::chrono::minutes(29) - std::chrono::seconds(1);
    pool.release(std::move(two), 30);
    REQUIRE(pool.take_all().empty());
    auto old = pool.acquire(30);
    old->last_use = Clock::now() - std::chrono::minutes(28);
    pool.release(std::move(old), 30);
    REQUIRE(pool.take_all().size() == 1);
}

TEST_CASE("the cluster time only goes forward") {
    ClusterTime time;
    base::Buffer kept;
    REQUIRE(time.copy(kept));
    REQUIRE(kept.empty());
    auto advance = [&](std::uint32_t seconds, std::uint32_t increment) {
        const base::Buffer document = document_of(Command("").timestamp("clusterTime", seconds, increment));
        time.advance(document.data(), document.size());
        REQUIRE(time.copy(kept));
        const Element element = DocumentView(kept.data(), kept.size()).find("clusterTime");
        return std::pair(base::load_little<std::uint32_t>(element.value + 4), base::load_little<std::uint32_t>(element.value));
    };
    REQUIRE(advance(10, 5) == std::pair(10u, 5u));
    REQUIRE(advance(9, 900) == std::pair(10u, 5u));
    REQUIRE(advance(10, 6) == std::pair(10u, 6u));
    REQUIRE(advance(11, 1) == std::pair(11u, 1u));
    time.advance(reinterpret_cast<const std::uint8_t*>("\5\0\0\0"), 5);
    REQUIRE(advance(1, 1) == std::pair(11u, 1u));
}
