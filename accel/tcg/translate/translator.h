// Makes translation blocks of bytes that were read: has the guest translate them, compiles, publishes.
//
// The room translate/ owns the way from a guest pc to a TB: translate_at() reads what a unit is made of, which is a matter of
// one vCPU; the translator does the rest, and knows no vCPU. run/ calls it; it may use everything below.
//
// A translator belongs to one thread, which is inside the exclusive gate ("running") where it calls it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "accel/tcg/blocks/translation_cache.h"
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
    // Claims a place in the code buffer.
    static Result<std::unique_ptr<Translator>> create(TranslationCache& cache);
    Translator(const Translator&) = delete;
    Translator& operator=(const Translator&) = delete;

    // Makes the job's TB and publishes it, or finds it published by another translator. One that is single-use
    // (UnitSource::single_use) nobody else knows, and release_single() must follow.
    JobEnd translate(const TranslationJob& job, tcg::TranslationBlock** tb);
    void release_single(tcg::TranslationBlock* tb) { context_->take_back(tb); }

    TranslationCache& cache() { return cache_; }
    // TranslationCache::flush_count() as of the last `full`.
    uint64_t full_at() const { return full_at_; }
    // Why the last job failed.
    const std::string& failure() const { return failure_; }

  private:
    enum class Built : uint8_t { ok, more, too_big, failed };

    Translator(TranslationCache& cache, std::unique_ptr<tcg::CodeContext> context);

    Built build(const TranslationJob& job, uint32_t max_insns);
    tcg::CompileStatus compile(tcg::CompiledUnit* compiled);
    tcg::TranslationBlock* add(const TranslationJob& job, const tcg::CompiledUnit& compiled);
    JobEnd finish(const TranslationJob& job, const tcg::CompiledUnit& compiled, tcg::TranslationBlock** tb);
    // The TB that is now known: `tb`, or the one that was first. Null: its bytes have changed.
    tcg::TranslationBlock* publish(const TranslationJob& job, tcg::TranslationBlock& tb);
    JobEnd full();
    JobEnd fail(std::string reason);
    void count(VcpuCounters& counters, const tcg::CompiledUnit& compiled);

    TranslationCache& cache_;
    const GuestArch& guest_;
    const std::unique_ptr<tcg::CodeContext> context_;
    const std::unique_ptr<tcg::Compiler> compiler_;
    tcg::UnitMemory memory_;
    tcg::Optimizer optimizer_;
    TranslationLog log_;
    uint64_t full_at_ = 0;
    std::string failure_;
};

}  // namespace weft::accel
