// Memory of code is written anew while other processors may still hold, in their pipelines, instructions fetched from it
// before. Between the last use of the old code by anybody and the first use of the new, each processor that may run it
// has to serialize: to give up what it has fetched.
//
// Two ways, chosen once:
//   by the kernel   one membarrier(PRIVATE_EXPEDITED_SYNC_CORE) before the memory is used again, for which the process
//                   registers at the start: all processors that run a thread of this process serialize
//   by themselves   where the kernel refuses (an old one, a container that filters system calls): each vCPU that drops
//                   the old code from its jump cache serializes then, with an instruction of its own. It drops it before
//                   it can come to the new code: in the loop behind each quiescent point, and when it begins to run
// The barrier may still be refused, for want of memory: what it was for is then done by themselves, with a grace period more.
// An interpreter needs neither.
#pragma once

#include <cstdint>

#include "base/host_calls.h"

namespace weft::accel {

// Immutable; any thread.
class CoreSync {
  public:
    // Registers the process with the kernel where code is executed.
    CoreSync(bool executes, const HostCalls& calls);

    // Before memory of code is used again, a grace period after its code was dropped. False: the kernel has no memory for it
    // (membarrier(2), ENOMEM).
    [[nodiscard]] bool before_reuse() const;
    // Whether vCPUs that drop code have to call serialize_core().
    bool by_themselves() const { return way_ == Way::themselves; }

  private:
    enum class Way : uint8_t { none, kernel, themselves };

    const HostCalls& calls_;
    const Way way_;
};

// Makes the processor that runs this thread forget the instructions it has fetched.
void serialize_core();

}  // namespace weft::accel
