// What a thread does whose vCPU found no space for code.
#pragma once

#include <cstdint>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/run/exclusive.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "base/epoch.h"

namespace weft::accel {

// A thread's own.
class RoomMaker {
  public:
    RoomMaker(TranslationCache& cache, ExclusiveGate& gate) : cache_(cache), gate_(gate) {}

    // Waits for a region on its way, or has all of them emptied. `full_at`: TranslationCache::flush_count() when the cache was full.
    // Outside the gate; `reader` is the thread's.
    void make_room(const Vcpu& vcpu, EpochDomain::Reader& reader, uint64_t full_at);

  private:
    TranslationCache& cache_;
    ExclusiveGate& gate_;
    // How often in a row no space for code was found, and how much had been translated by then.
    unsigned full_in_a_row_ = 0;
    uint64_t translated_when_full_ = 0;
};

}  // namespace weft::accel
