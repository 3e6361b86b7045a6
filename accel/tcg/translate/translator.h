// Makes translation blocks of bytes that were read: has the guest translate them, compiles, publishes.
//
// The room translate/ owns the way from a guest pc to a TB: translate_at() reads what a unit is made of, which is a matter of
// one vCPU; the translator does the rest, and knows no vCPU. run/ calls it; it may use everything below.
//
// A translator belongs to one thread, which is inside the exclusive gate ("running") where it calls it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/store/translation_store.h"
#include "accel/tcg/translate/job.h"
#include "accel/tcg/translate/translation_log.h"
#include "base/error.h"
#include "tcg/backend.h"
#include "tcg/code/regions.h"
#include "tcg/ir/unit_storage.h"
#include "tcg/opt/optimizer.h"

namespace weft::accel {

// How a job ended.
enum class JobEnd : uint8_t {
    done,
    more,    // the first instruction needs more bytes than were read: read them, then again
    stale,   // the bytes in memory have changed since: read them anew
    full,    // no space for code is left: empty the cache, then again
    failed,  // an error of weft's own environment: see Translator::failure()
};

class Translator {
  public:
    // Claims a place in the code buffer. `store`: where units are found that were made before, and kept; null: there is none.
    static Result<std::unique_ptr<Translator>> create(TranslationCache& cache, TranslationStore* store);
    Translator(const Translator&) = delete;
    Translator& operator=(const Translator&) = delete;

    // Makes the job's TB and publishes it, or finds it published by another translator. One that is single-use
    // (UnitSource::single_use) nobody else knows, and release_single() must follow.
    JobEnd translate(const TranslationJob& job, tcg::TranslationBlock** tb);
    void release_single(tcg::TranslationBlock* tb) { context_->take_back(tb); }

    TranslationCache& cache() { return cache_; }
    // Whether there is a store.
    bool keeps() const { return store_ != nullptr; }
    // TranslationCache::flush_count() as of the last `full`.
    uint64_t full_at() const { return full_at_; }
    // Why the last job failed.
    const std::string& failure() const { return failure_; }

  private:
    enum class Built : uint8_t { ok, more, too_big, failed };

    // A unit in the context's window.
    struct Made {
        tcg::CompiledUnit compiled{};
        uint32_t guest_size = 0;
        uint32_t insn_count = 0;
        bool stored = false;  // found in the store
    };

    Translator(TranslationCache& cache, TranslationStore* store, std::unique_ptr<tcg::CodeContext> context);

    Built build(const TranslationJob& job, uint32_t max_insns);
    // Writes a unit into the window, which becomes the next region's where it does not fit. `write(window)` gives a
    // CompileStatus. region_full: no region is left, or not even an empty one suffices (CodeContext::region_empty).
    template <class Write>
    tcg::CompileStatus into_region(Write&& write);
    tcg::CompileStatus compile(Made* made);
    // What the store has of the job, if that is anything.
    bool may_be_stored(const TranslationJob& job) const;
    bool carries(const TranslationJob& job, const ir::Unit& unit) const;
    std::optional<tcg::CompileStatus> take_stored(const TranslationJob& job, Made* made);
    // Makes the record of a TB that nobody else knows yet, in `record_`. False: it is not to be stored.
    bool make_record(const TranslationJob& job, const Made& made, const tcg::TranslationBlock& tb);
    tcg::TranslationBlock* add(const TranslationJob& job, const Made& made);
    JobEnd finish(const TranslationJob& job, const Made& made, tcg::TranslationBlock** tb);
    // The TB that is now known: `tb`, or the one that was first. Null: its bytes have changed.
    tcg::TranslationBlock* publish(const TranslationJob& job, tcg::TranslationBlock& tb);
    JobEnd full();
    JobEnd fail(std::string reason);
    static void count(const TranslationJob& job, const Made& made);

    TranslationCache& cache_;
    TranslationStore* const store_;
    const std::unique_ptr<BlockReader> reader_;  // for the store
    const GuestArch& guest_;
    const std::unique_ptr<tcg::CodeContext> context_;
    const std::unique_ptr<tcg::Compiler> compiler_;
    tcg::UnitMemory memory_;
    tcg::Optimizer optimizer_;
    TranslationLog log_;
    std::vector<uint8_t> record_;  // of a unit that comes from the store, or goes there
    std::vector<uint8_t> moving_;  // its code
    uint64_t full_at_ = 0;
    std::string failure_;
};

}  // namespace weft::accel
