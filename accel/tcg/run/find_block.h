// Finds the code for a vCPU's pc: in its jump cache, in the block table, or by a translation. Runs nothing of the guest.
#pragma once

#include <cstdint>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/time/insn_clock.h"
#include "accel/tcg/translate/translate_at.h"
#include "accel/tcg/vcpu/visits.h"
#include "tcg/code/tb.h"

namespace weft::accel {

// The TB whose jump was not linked when the vCPU came back.
struct UnlinkedJump {
    tcg::TranslationBlock* source = nullptr;  // null: there is none
    uint32_t slot = 0;
    // Of the source: where it has passed, so has the source.
    tcg::RegionId region = 0;
    uint32_t generation = 0;
};

// What to run next.
struct Target {
    tcg::RxAddress code;
    Translated once;            // a TB that is used once, or nothing: to be released after it
    bool return_after = false;  // to come back after it, by the instruction clock
    bool alone = false;         // to come back after it, whatever it leads to
    FetchPage page;             // with Found::rare: that of the pc
    Visit visit{};              // with Found::rare: not hot
};

enum class Found : uint8_t {
    code,
    rare,   // it was met too seldom to be translated, or a translation is awaited or due: to be interpreted
    fault,  // a guest exception is recorded
    full,   // the code cache has to be emptied
    failed,
};

// One a vCPU thread.
class BlockFinder {
  public:
    // `clock`: null with the host's clock.
    BlockFinder(TranslationCache& cache, Translators& translators, const InsnClock* clock)
        : cache_(cache), translators_(translators), clock_(clock) {}
    BlockFinder(const BlockFinder&) = delete;
    BlockFinder& operator=(const BlockFinder&) = delete;

    // The code for the vCPU's pc, in its context. An unlinked jump that led here is linked. `may_interpret`: it may be `rare`.
    Found find(Vcpu& vcpu, const UnlinkedJump& unlinked, bool may_interpret, Target* target);
    // Near the instruction clock's stop: code that does not go past it, by itself. A unit that is too long is translated as
    // far as there is time for it.
    Found find_to_fit(Vcpu& vcpu, Target* target);
    // Code for the one instruction at the vCPU's pc that depends on no page's protection; to be run alone.
    Found find_one_insn(Vcpu& vcpu, Target* target);

    // TranslationCache::flush_count() as of the last `full`.
    uint64_t full_at() const { return full_at_; }

  private:
    Found find_or_translate(Vcpu& vcpu, bool may_interpret, bool young, Target* target, Translated* found);
    Found translate(Vcpu& vcpu, const FetchPage& page, uint32_t insns, Translated* translated);

    TranslationCache& cache_;
    Translators& translators_;
    const InsnClock* const clock_;
    uint64_t full_at_ = 0;
};

}  // namespace weft::accel
