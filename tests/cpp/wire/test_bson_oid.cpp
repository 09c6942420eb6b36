// Tests of wire/bson/oid: layout, uniqueness across threads, new random bytes after fork.
#include "wire/bson/oid.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "support/catch.h"

using barewire::wire::bson::ObjectIdBytes;
using barewire::wire::bson::ObjectIdGenerator;

namespace {

ObjectIdBytes make_one() {
    ObjectIdBytes id;
    ObjectIdGenerator::instance().next(id.data());
    return id;
}

unsigned counter_of(const ObjectIdBytes& id) { return (unsigned{id[9]} << 16) | (unsigned{id[10]} << 8) | id[11]; }

}  // namespace

TEST_CASE("an id starts with the time and the process's random bytes, and counts up") {
    auto before = static_cast<unsigned long>(time(nullptr));
    ObjectIdBytes first = make_one(), second = make_one();
    auto after = static_cast<unsigned long>(time(nullptr));
    unsigned long seconds = (static_cast<unsigned long>(first[0]) << 24) | (static_cast<unsigned long>(first[1]) << 16) |
                            (static_cast<unsigned long>(first[2]) << 8) | first[3];
    REQUIRE(seconds >= before);
    REQUIRE(seconds <= after);
    REQUIRE(std::memcmp(first.data() + 4, second.data() + 4, 5) == 0);
    REQUIRE(counter_of(second) == ((counter_of(first) + 1) & 0xFFFFFF));
}

TEST_CASE("a block hands out consecutive ids that nobody else gets") {
    auto block = ObjectIdGenerator::instance().take(100);
    ObjectIdBytes after = make_one();
    std::set<ObjectIdBytes> seen{after};
    ObjectIdBytes last{};
    for (int i = 0; i < 100; ++i) {
        last = block.next();
        REQUIRE(seen.insert(last).second);
    }
    REQUIRE(counter_of(after) == ((counter_of(last) + 1) & 0xFFFFFF));
}

TEST_CASE("ids of four threads are distinct") {
    std::vector<std::vector<ObjectIdBytes>> made(4);
    std::vector<std::thread> threads;
    for (auto& mine : made) {
        threads.emplace_back([&mine] {
            for (int i = 0; i < 20000; ++i) mine.push_back(make_one());
        });
    }
    for (auto& thread : threads) thread.join();
    std::set<ObjectIdBytes> all;
    for (const auto& mine : made) all.insert(mine.begin(), mine.end());
    REQUIRE(all.size() == 80000);
}

TEST_CASE("a forked child has random bytes of its own") {
    ObjectIdBytes parent = make_one();
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ObjectIdBytes id = make_one();
        bool written = write(ends[1], id.data(), id.size()) == static_cast<ssize_t>(id.size());
        _exit(written ? 0 : 1);
    }
    ObjectIdBytes from_child{};
    REQUIRE(read(ends[0], from_child.data(), from_child.size()) == static_cast<ssize_t>(from_child.size()));
    close(ends[0]);
    close(ends[1]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    REQUIRE(std::memcmp(parent.data() + 4, from_child.data() + 4, 5) != 0);
    REQUIRE(std::memcmp(parent.data() + 4, make_one().data() + 4, 5) == 0);
}
