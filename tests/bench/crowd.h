#pragma once

#include <sched.h>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "bench.h"

namespace bench {

/// Has as many threads as the process may use processors call item(i) for each i below `count`, in no order; returns the sum
/// of what the calls return.
template <class Item>
std::uint64_t crowd(long count, const Item& item) {
    cpu_set_t processors;
    CPU_ZERO(&processors);
    sched_getaffinity(0, sizeof processors, &processors);
    std::atomic<long> next{0};
    std::atomic<std::uint64_t> sum{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < CPU_COUNT(&processors); i++)
        threads.emplace_back([&] {
            std::uint64_t mine = 0;
            for (long at = next++; at < count; at = next++)
                mine += item(at);
            sum += mine;
        });
    for (std::thread& thread : threads)
        thread.join();
    return sum;
}

}  // namespace bench
