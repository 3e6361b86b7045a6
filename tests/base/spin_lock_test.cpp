#include "base/spin_lock.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

using namespace weft;

TEST_CASE("a spin lock lets one in at a time") {
    constexpr int kThreads = 4;
    constexpr int kRounds = 50000;
    SpinLock lock;
    long counter = 0;  // guarded by lock; plain on purpose
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&] {
            // All at once: a thread alone proves nothing.
            ready.fetch_add(1);
            SpinWait wait;
            while (ready.load() != kThreads) {
                wait.once();
            }
            for (int round = 0; round < kRounds; ++round) {
                SpinLockGuard guard(lock);
                ++counter;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    REQUIRE(counter == static_cast<long>(kThreads) * kRounds);
}

TEST_CASE("try_lock takes a free lock only") {
    SpinLock lock;
    const auto free_to_others = [&lock] {
        bool taken = false;
        std::thread([&] {
            if (lock.try_lock()) {
                taken = true;
                lock.unlock();
            }
        }).join();
        return taken;
    };
    REQUIRE(free_to_others());
    lock.lock();
    const bool while_held = free_to_others();
    lock.unlock();
    REQUIRE_FALSE(while_held);
    REQUIRE(free_to_others());
}
