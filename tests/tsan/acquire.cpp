// Two threads add to a number under a spin lock. Without the lock's acquire they race.
#include <cstdio>
#include <thread>

#include "base/spin_lock.h"

int main() {
    weft::SpinLock lock;
    int number = 0;
    const auto add = [&] {
        for (int i = 0; i < 1000; ++i) {
            weft::SpinLockGuard guard(lock);
            ++number;
        }
    };
    std::thread first(add);
    std::thread second(add);
    first.join();
    second.join();
    std::printf("%d\n", number);
    return number == 2000 ? 0 : 1;
}
