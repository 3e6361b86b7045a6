// A register's value, told to a hart, where several harts write the register without a lock.
#pragma once

#include <atomic>

namespace weft::hw {

// After a store to `stored`: calls call(value) with what is stored, and again while that has changed meanwhile.
//
// Two harts may write one register at the same time, and their calls may come in the other order than their stores. So each
// repeats the call until the value it passed on is the one stored: whoever comes last passes on the last.
template <class T, class Deliver>
void deliver_latest(const std::atomic<T>& stored, const Deliver& call) {
    T value = stored.load();
    while (true) {
        call(value);
        const T again = stored.load();
        if (again == value) {
            return;
        }
        value = again;
    }
}

}  // namespace weft::hw
