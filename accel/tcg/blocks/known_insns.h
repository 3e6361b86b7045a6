// Host addresses at which guest instructions left generated code lately, with what insn_at_host_pc() said of them: system calls and
// faults come from few places, again and again.
#pragma once

#include <array>
#include <cstdint>

#include "accel/tcg/blocks/insn_at_host_pc.h"
#include "accel/tcg/blocks/translation_cache.h"

namespace weft::accel {

// The thread's that runs the vCPUs. What is remembered holds while the region of its code has the same generation, which the caller,
// an online reader of the epochs who ran that code, knows as of now.
class KnownInsns {
  public:
    KnownInsns(TranslationCache& cache, bool with_index)
        : cache_(cache), with_index_(with_index), remembers_(cache.settings().remember_insns) {}

    // As insn_at_host_pc().
    InsnAtHostPc find(uint64_t host_pc, const tcg::TranslationBlock* single_use) {
        if (!remembers_ || lies_in(host_pc, single_use)) {
            return insn_at_host_pc(cache_, host_pc, single_use, with_index_);
        }
        Entry& entry = entries_[host_pc * kMultiplier >> (64 - kBits)];
        if (entry.host_pc != host_pc || cache_.regions().generation(entry.region) != entry.generation) {
            const InsnAtHostPc found = insn_at_host_pc(cache_, host_pc, nullptr, with_index_);
            entry = {host_pc, found, found.tb->region, found.tb->generation};
        }
        return entry.insn;
    }

  private:
    struct Entry {
        uint64_t host_pc = 0;
        InsnAtHostPc insn;
        tcg::RegionId region = 0;
        uint32_t generation = 0;
    };
    static constexpr unsigned kBits = 5;
    static constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio

    TranslationCache& cache_;
    const bool with_index_;
    const bool remembers_;
    std::array<Entry, size_t{1} << kBits> entries_{};
};

}  // namespace weft::accel
