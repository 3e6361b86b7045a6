#include "emulator/machine/deterministic_io.h"

namespace weft::machine {

void DeterministicIo::arm(uint64_t due_ns) {
    time_.set_timer(
        accelerator_, due_ns, [](void* self) { static_cast<DeterministicIo*>(self)->run_due(); }, this);
}

void DeterministicIo::run(void (*fn)(void* opaque), void* opaque) {
    const uint64_t due = time_.now_ns(accelerator_) + kDelayNs;
    bool first = false;
    {
        MutexLock lock(mutex_);
        first = requests_.empty();
        requests_.push_back({fn, opaque, due});
    }
    if (first) {
        arm(due);
    }
}

// False: there was none.
bool DeterministicIo::run_first() {
    Request request{};
    {
        MutexLock lock(mutex_);
        if (requests_.empty()) {
            return false;
        }
        request = requests_.front();
        requests_.pop_front();
    }
    request.fn(request.opaque);
    return true;
}

// The first request is due. What it asks for comes behind the others, which have the timer then.
void DeterministicIo::run_due() {
    run_first();
    uint64_t next = UINT64_MAX;
    {
        MutexLock lock(mutex_);
        next = requests_.empty() ? UINT64_MAX : requests_.front().due_ns;
    }
    arm(next);
}

void DeterministicIo::drain() {
    arm(UINT64_MAX);
    while (run_first()) {
    }
    arm(UINT64_MAX);
}

}  // namespace weft::machine
