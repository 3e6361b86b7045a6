// From a vCPU's pc to a new TB: reads what it is made of, and has it translated, until that comes to an end.
#pragma once

#include <cstdint>

#include "accel/tcg/mmu/guest_memory.h"
#include "accel/tcg/translate/translators.h"

namespace weft::accel {

enum class TranslateOutcome : uint8_t {
    ok,
    fault,   // a guest exception is recorded: an instruction could not be fetched
    full,    // no space for code is left: empty the cache, then again
    failed,  // an error of weft's own environment, which the machine was told
};

struct Translated {
    tcg::TranslationBlock* tb = nullptr;
    // Of a TB that is used once: its translator, which is kept until release_single(). Else null.
    Translator* maker = nullptr;

    tcg::TranslationBlock* single_use() const { return maker != nullptr ? tb : nullptr; }
};

// Instructions that a unit in `page` has at most, but for a limit of its own.
uint32_t most_insns(const Settings& settings, const FetchPage& page);

// The TB, if it is used once, will not be used any more, and its translator may make others. On the thread that had it made.
void release_single(Translators& translators, const Translated& translated);

// Makes the TB that begins at the vCPU's pc, which is fetched from `page`, or finds it published by another translator. With
// `insn_limit`, of at most so many instructions (0: as many as fit); such a TB, and one of a device's bytes (or of a page that
// may not be remembered), is used once: nobody else knows it, and release_single() must follow. `full`: *full_at is
// TranslationCache::flush_count() as of then. On the vCPU's thread.
TranslateOutcome translate_at(Translators& translators, Vcpu& vcpu, const FetchPage& page,
                              uint32_t insn_limit, Translated* translated, uint64_t* full_at);

}  // namespace weft::accel
