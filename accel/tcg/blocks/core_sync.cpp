#include "accel/tcg/blocks/core_sync.h"

#include <linux/membarrier.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace weft::accel {

CoreSync::CoreSync(bool executes, const HostCalls& calls)
    : calls_(calls),
      way_(!executes                                                                    ? Way::none
           : calls.membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) == 0 ? Way::kernel
                                                                                        : Way::themselves) {}

bool CoreSync::before_reuse() const {
    return way_ != Way::kernel || calls_.membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) == 0;
}

void serialize_core() {
#if defined(__x86_64__)
    // Any leaf will do: the instruction serializes. (Intel SDM volume 3, "Serializing instructions"; AMD APM volume 2,
    // "Synchronizing instructions".)
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    __cpuid(0, a, b, c, d);
#endif
}

}  // namespace weft::accel
