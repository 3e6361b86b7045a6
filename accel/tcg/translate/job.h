// One translation to be made: all that it takes, apart from the vCPU that it is for. Filled on that vCPU's thread; then any
// thread's, one at a time.
#pragma once

#include <cstdint>

#include "accel/tcg/blocks/page_claim.h"
#include "accel/tcg/counters.h"
#include "accel/tcg/translate/unit_source.h"

namespace weft::accel {

// Whose thread makes it. A worker's job may have waited for long: where its bytes may have been written to meanwhile it is not made, and
// memory, which may be gone, is not looked at.
enum class JobOf : uint8_t { vcpu, worker };

struct TranslationJob {
    uint64_t tb_flags;
    VcpuCounters& counters;  // of who asks for it; written by who translates
    UnitSource& source;
    PageClaim& claim;  // on the pages that the source was read from
    JobOf of = JobOf::vcpu;
};

}  // namespace weft::accel
