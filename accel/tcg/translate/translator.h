// Makes translation blocks: fetches the guest's bytes, has the guest translate them, compiles, publishes.
//
// One a vCPU thread, used by it alone, inside the exclusive gate ("running").
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/mmu/softmmu.h"
#include "accel/tcg/translate/translation_log.h"
#include "base/error.h"
#include "tcg/backend.h"
#include "tcg/code/regions.h"
#include "tcg/ir/unit_storage.h"
#include "tcg/opt/optimizer.h"

namespace weft::accel {

enum class TranslateOutcome : uint8_t {
    ok,
    fault,   // a guest exception is recorded: an instruction could not be fetched
    full,    // no space for code is left: empty the cache, then again
    failed,  // an error of weft's own environment, which the machine was told
};

class Translator {
  public:
    // Claims a place in the code buffer.
    static Result<std::unique_ptr<Translator>> create(TranslationCache& cache);
    Translator(const Translator&) = delete;
    Translator& operator=(const Translator&) = delete;

    // Makes the TB that begins at the vCPU's pc, which is fetched from `page`, and publishes it; or finds it published by
    // another vCPU. A TB of a device's bytes (or of a page that may not be remembered) is used once: nobody else knows
    // it, and release_single() must follow.
    TranslateOutcome translate(Vcpu& vcpu, const FetchPage& page, tcg::TranslationBlock** tb) {
        return translate(vcpu, page, 0, tb);
    }
    // The same with at most `insns` instructions (0: as many as fit), to be used once.
    TranslateOutcome translate(Vcpu& vcpu, const FetchPage& page, uint32_t insns, tcg::TranslationBlock** tb);
    void release_single(tcg::TranslationBlock* tb);

    // TranslationCache::flush_count() as of the last `full`.
    uint64_t full_at() const { return full_at_; }

  private:
    // The guest's bytes, from the unit's first instruction on, and where they come from.
    struct Source {
        uint64_t pc;
        FetchPage first;
        FetchPage second{};  // where need_more asked for it
        bool has_second = false;
        bool insn_limit = false;  // to fewer instructions than there are
        uint32_t size = 0;        // of `bytes`
        std::array<uint8_t, kPageSize + 16> bytes{};

        bool single_use() const { return insn_limit || first.device || (has_second && second.device); }
    };

    Translator(TranslationCache& cache, std::unique_ptr<tcg::CodeContext> context);

    TranslateOutcome attempt(Vcpu& vcpu, const FetchPage& page, uint32_t insns, tcg::TranslationBlock** tb);
    bool read_first(Vcpu& vcpu, Source& source, PageClaim& claim, uint32_t max_insns);
    bool read_more(Vcpu& vcpu, Source& source, PageClaim& claim);
    // The next piece, which lies at page.paddr.
    bool read_device(Vcpu& vcpu, Source& source, const FetchPage& page);
    bool build(Vcpu& vcpu, Source& source, PageClaim& claim, uint32_t max_insns, TranslateOutcome* outcome);
    tcg::CompileStatus compile(tcg::CompiledUnit* compiled);
    tcg::TranslationBlock* add(const Vcpu& vcpu, const Source& source, const PageClaim& claim,
                               const tcg::CompiledUnit& compiled);
    // The TB that is now known: `tb`, or the one that was first. Null: its bytes have changed.
    tcg::TranslationBlock* publish(Vcpu& vcpu, tcg::TranslationBlock& tb, const Source& source,
                                   PageClaim& claim);
    TranslateOutcome fail(Vcpu& vcpu, const char* reason);
    void count(Vcpu& vcpu, const tcg::CompiledUnit& compiled);

    TranslationCache& cache_;
    const GuestArch& guest_;
    const std::unique_ptr<tcg::CodeContext> context_;
    const std::unique_ptr<tcg::Compiler> compiler_;
    tcg::UnitMemory memory_;
    tcg::Optimizer optimizer_;
    TranslationLog log_;
    Source source_{};
    uint64_t full_at_ = 0;
};

}  // namespace weft::accel
