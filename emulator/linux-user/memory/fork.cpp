// The map over fork(2): rules O1 and D4 of docs/user-memory.md.
#include <vector>

#include "emulator/linux-user/memory/memory_core.h"

namespace weft::user {

void MemoryCore::fork_prepare() { space_.mutex().lock(); }

void MemoryCore::fork_parent() { space_.mutex().unlock(); }

// The host's side is done: the kernel left out, or zeroed, what the guest's madvise named, and copied no locks on memory.
void MemoryCore::fork_child() {
    space_.mutex().unlock();
    space_.readers().fork_child();
    lock_future = false;
    lock_future_on_fault = false;
    std::vector<Interval> left_out, wiped, locked;
    {
        Call look(*this);
        look.tree().visit(0, config_.limit, [&](const Interval& interval) {
            const Attributes& attributes = interval.attributes;
            if (attributes.dont_fork) {
                left_out.push_back(interval);
            } else {
                if (attributes.wipe_on_fork) {
                    wiped.push_back(interval);
                }
                if (attributes.locked) {
                    locked.push_back(interval);
                }
            }
            return true;
        });
    }
    if (left_out.empty() && wiped.empty() && locked.empty()) {
        return;
    }
    Call call(*this);
    for (const Interval& interval : left_out) {
        call.gone(interval.start, interval.end);
        call.edit().erase(interval.start, interval.end);
    }
    for (const Interval& interval : wiped) {
        call.gone(interval.start, interval.end);
    }
    for (const Interval& interval : locked) {
        call.edit().update(interval.start, interval.end,
                           [](Attributes& attributes) { attributes.locked = false; });
    }
    call.commit();
}

}  // namespace weft::user
