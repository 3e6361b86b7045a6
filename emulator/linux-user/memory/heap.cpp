#include "emulator/linux-user/memory/heap.h"

#include <sys/mman.h>

#include <cerrno>

#include "emulator/linux-user/memory/map_request.h"
#include "emulator/linux-user/memory/mapper.h"

namespace weft::user {

uint64_t Heap::set(uint64_t wanted) {
    uint64_t result = 0;
    const SysResult outcome = or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        if (wanted >= start_ && wanted < core_.layout().limit() && resize(call, wanted)) {
            break_ = wanted;
        }
        result = break_;
        return 0;
    });
    if (outcome < 0) {
        // Weft had no memory: the break is where it was.
        MutexLock lock(core_.space().mutex());
        result = break_;
    }
    return result;
}

bool Heap::resize(MemoryCore::Call& call, uint64_t wanted) {
    const uint64_t old_end = round_up(break_, kGuestPage);
    const uint64_t new_end = round_up(wanted, kGuestPage);
    if (wanted - start_ > core_.limits().data) {
        return false;
    }
    if (new_end < old_end) {
        return Mapper::remove(core_, call, new_end, old_end) == 0;
    }
    if (new_end == old_end) {
        return true;
    }
    // One page stays free before the next mapping, and the gap of one that grows.
    core_.learn_growth(old_end, new_end + kGuestPage);
    call.restart();
    const Interval* next = call.tree().at_or_after(old_end);
    if (next != nullptr) {
        const uint64_t gap = next->attributes.growing ? kGuardGap : kGuestPage;
        if (next->start < new_end || next->start - new_end < gap) {
            return false;
        }
    }
    MapRequest request(core_, old_end, new_end - old_end, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return request.check_arguments() == 0 && request.run(call) >= 0;
}

}  // namespace weft::user
