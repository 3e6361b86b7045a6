// Waiting for what other threads do.
#pragma once

#include <thread>

namespace weft::test {

// Returns once `condition` holds; others run meanwhile. What bounds a hang is the test's timeout.
template <class Condition>
void wait_until(Condition condition) {
    while (!condition()) {
        std::this_thread::yield();
    }
}

}  // namespace weft::test
