#include "base/spin_lock.h"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

using namespace weft;

TEST_CASE("a spin lock lets one in at a time") {
    constexpr int kThreads = 4;
    constexpr int kRounds = 20000;
    PaddedSpinLock lock;
    long counter = 0;  // guarded by lock; plain on purpose
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&] {
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
    const bool taken = lock.try_lock();
    REQUIRE(taken);
    bool second = true;
    std::thread([&] {
        second = lock.try_lock();
        if (second) {
            lock.unlock();
        }
    }).join();
    REQUIRE_FALSE(second);
    if (taken) {
        lock.unlock();
    }
    std::thread([&] {
        second = lock.try_lock();
        if (second) {
            lock.unlock();
        }
    }).join();
    REQUIRE(second);
}
