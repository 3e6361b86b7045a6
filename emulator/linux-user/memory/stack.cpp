#include "emulator/linux-user/memory/stack.h"

#include <sys/mman.h>

#include "emulator/linux-user/memory/map_request.h"

namespace weft::user {

SysResult Stack::create(uint64_t size, bool executable) {
    return or_no_memory([&]() -> SysResult {
        MemoryCore::Call call(core_);
        const uint64_t top = core_.down(core_.layout().window_top());
        size = core_.up(size);
        MapRequest request(core_, top - size, size, PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0),
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK | MAP_FIXED_NOREPLACE, -1,
                           0);
        SysResult outcome = request.check_arguments();
        if (outcome == 0) {
            outcome = request.run(call);
        }
        if (outcome < 0) {
            return outcome;
        }
        top_ = top;
        return static_cast<SysResult>(top);
    });
}

uint64_t Stack::low() {
    MutexLock lock(core_.space().mutex());
    core_.learn_growth(core_.layout().mmap_base(), top_);
    // mprotect may have cut it into several.
    uint64_t low = top_;
    for (const Interval* part = core_.space().tree().at(low - kGuestPage);
         part != nullptr && part->attributes.growing; part = core_.space().tree().at(low - kGuestPage)) {
        low = part->start;
    }
    return low;
}

}  // namespace weft::user
