// Workers fed from several threads, shrinking and growing, stopped in the middle: for ThreadSanitizer.
#include <atomic>
#include <thread>
#include <vector>

#include "net/workers.h"
#include "support/catch.h"

using namespace barewire::net;
using namespace std::chrono_literals;

namespace {

struct Tally {
    std::atomic<int> ran{0}, abandoned{0}, destroyed{0};
};

struct Counted final : Job {
    explicit Counted(Tally& tally_) : tally(tally_) {}
    ~Counted() override { ++tally.destroyed; }
    void run(const std::atomic<bool>&) noexcept override {
        ++payload;
        ++tally.ran;
    }
    void abandoned() noexcept override {
        ++payload;
        ++tally.abandoned;
    }
    Tally& tally;
    int payload = 0;  // plain: written by the submitter and by one worker
};

}  // namespace

TEST_CASE("workers stress: each job runs once or is abandoned or refused", "[stress]") {
    for (int round = 0; round < 12; ++round) {
        Tally tally;
        std::atomic<int> refused{0};
        Workers workers(3, std::chrono::milliseconds(round % 2));  // 0: a thread ends as soon as nothing is queued
        std::vector<std::thread> crew;
        constexpr int per_thread = 200;
        for (int id = 0; id < 3; ++id) {
            crew.emplace_back([&] {
                for (int i = 0; i < per_thread; ++i) {
                    std::unique_ptr<Job> job = std::make_unique<Counted>(tally);
                    if (workers.submit(job) != Submitted::accepted) ++refused;
                    if (i % 32 == 0) std::this_thread::sleep_for(300us);
                }
            });
        }
        std::thread stopper;
        if (round % 3 == 0) {
            stopper = std::thread([&] {
                std::this_thread::sleep_for(1ms);
                workers.stop();
            });
        }
        for (std::thread& thread : crew) thread.join();
        if (stopper.joinable()) stopper.join();
        else CHECK(refused == 0);
        workers.stop();
        CHECK(tally.ran + tally.abandoned + refused == 3 * per_thread);
        CHECK(tally.destroyed == 3 * per_thread);
        CHECK(workers.threads() == 0);
    }
}
