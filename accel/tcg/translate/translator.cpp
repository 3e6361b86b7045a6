#include "accel/tcg/translate/translator.h"

#include <algorithm>
#include <span>
#include <utility>

#include "accel/tcg/vcpu/block_at_pc.h"
#include "base/assert.h"
#include "tcg/ir/verify.h"

namespace weft::accel {

using tcg::CompiledUnit;
using tcg::CompileStatus;
using tcg::TranslationBlock;

namespace {

std::span<const HelperDesc> helpers(const GuestArch& guest) { return {guest.helpers, guest.helper_count}; }

}  // namespace

Result<std::unique_ptr<Translator>> Translator::create(TranslationCache& cache) {
    auto context = cache.regions().claim();
    if (!context) {
        return std::unexpected(context.error());
    }
    return std::unique_ptr<Translator>(new Translator(cache, std::move(*context)));
}

Translator::Translator(TranslationCache& cache, std::unique_ptr<tcg::CodeContext> context)
    : cache_(cache),
      guest_(cache.guest()),
      context_(std::move(context)),
      compiler_(cache.backend().make_compiler()),
      memory_({guest_.globals, guest_.global_count}),
      optimizer_(cache.settings().optimize),
      log_(guest_, cache.host()) {
    WEFT_ASSERT(guest_.max_insn_size <= 16);
}

JobEnd Translator::translate(const TranslationJob& job, TranslationBlock** tb) {
    const UnitSource& source = job.source;
    uint32_t max_insns = source.max_insns();
    while (true) {
        CompiledUnit compiled{};
        bool too_big = false;
        switch (build(job, max_insns)) {
            case Built::ok:
                break;
            case Built::more:
                return JobEnd::more;
            case Built::failed:
                return JobEnd::failed;
            case Built::too_big:
                too_big = true;
                break;
        }
        if (!too_big && source.second() != nullptr && !source.single_use()) {
            // Only now is it known that the instruction reaches into the second page: it may be there already.
            tcg::TbKey key = key_of(source.first(), source.pc(), job.tb_flags);
            key.page1 = source.second()->ram_offset;
            if (TranslationBlock* const known = cache_.blocks().find(key)) {
                *tb = known;
                return JobEnd::done;
            }
        }
        if (!too_big) {
            const CompileStatus status = compile(&compiled);
            if (status == CompileStatus::ok) {
                return finish(job, compiled, tb);
            }
            if (status == CompileStatus::region_full && !context_->region_empty()) {
                job.counters.translations_retried.add();
                return full();
            }
        }
        if (max_insns == 1) {
            return fail("its translation does not fit into an empty region");
        }
        max_insns = std::max(1u, std::min(max_insns, memory_.unit().insn_count) / 2);
        job.counters.translations_retried.add();
    }
}

JobEnd Translator::finish(const TranslationJob& job, const CompiledUnit& compiled, TranslationBlock** tb) {
    const UnitSource& source = job.source;
    TranslationBlock* const made = add(job, compiled);
    if (made == nullptr) {
        return context_->region_empty() ? fail("there is no memory for its tables") : full();
    }
    log_.out_asm(cache_.backend(), {cache_.buffer().to_rw(made->code), made->code, made->code_size},
                 source.pc(), made->guest_size);
    count(job.counters, compiled);
    CodeObserver* const observer = cache_.observer();
    if (observer != nullptr) {
        observer->made(*made);
    }
    *tb = source.single_use() ? made : publish(job, *made);
    if (observer != nullptr && *tb == made) {
        observer->kept(*made);
    }
    return *tb != nullptr ? JobEnd::done : JobEnd::stale;
}

// ---- making the unit ----

// Has the guest translate, and optimizes. too_big: fewer instructions may fit.
Translator::Built Translator::build(const TranslationJob& job, uint32_t max_insns) {
    const UnitSource& source = job.source;
    TranslateRequest request{};
    request.tb_flags = job.tb_flags;
    request.code = source.bytes();
    request.code_size = source.size();
    request.page_offset = source.page_offset();
    request.max_insns = source.second() != nullptr ? 1 : max_insns;
    // One that a process's thread keeps its translator for comes back to the loop.
    request.one_insn_per_tb =
        cache_.settings().one_insn_per_tb && !(source.single_use() && cache_.pages().in_process());
    request.fixed_pages = cache_.pages().in_process() && cache_.settings().link_pages;
    request.return_points = cache_.settings().return_stack;
    ir::Unit& unit = memory_.begin_unit();
    const TranslateStatus status =
        unit.error != ir::UnitError::none ? TranslateStatus::too_big : guest_.translate(&request, &unit);
    if (unit.error == ir::UnitError::out_of_memory) {
        fail("there is no memory for its translation");
        return Built::failed;
    }
    if (status == TranslateStatus::too_big) {
        return Built::too_big;
    }
    if (status != TranslateStatus::ok) {
        return Built::more;
    }
    unit.ungrouped = !source.single_use() &&
                     cache_.ungrouped().contains(key_of(source.first(), source.pc(), job.tb_flags).start);
    log_.in_asm({source.bytes(), unit.guest_size}, source.pc());
    log_.op(unit, source.pc());
    if constexpr (WEFT_DEBUG != 0) {
        // The guest's translator broke the rules of weft/ir.h.
        if (const Result<> verified = tcg::verify(unit, helpers(guest_)); !verified) {
            fail(verified.error().message());
            return Built::failed;
        }
    }
    optimizer_.optimize(unit, helpers(guest_));
    log_.op_opt(unit, source.pc());
    return Built::ok;
}

// region_full: no region is left, or not even an empty one suffices (CodeContext::region_empty).
CompileStatus Translator::compile(CompiledUnit* compiled) {
    while (true) {
        tcg::CodeWindow window = context_->window();
        window.size = std::min(window.size, kMaxWindow);
        const CompileStatus status =
            window.size == 0 ? CompileStatus::region_full
                             : compiler_->compile(memory_.unit(), window, context_->next_unit(), compiled);
        if (status != CompileStatus::region_full || context_->region_empty() || !context_->next_region()) {
            return status;
        }
    }
}

TranslationBlock* Translator::add(const TranslationJob& job, const CompiledUnit& compiled) {
    const UnitSource& source = job.source;
    const ir::Unit& unit = memory_.unit();
    const bool provisional = job.claim.provisional();
    tcg::BlockInfo info{};
    info.key = key_of(source.first(), source.pc(), job.tb_flags);
    info.pc = source.pc();
    if (source.single_use()) {
        info.state = tcg::kTbUnhashed;
        info.key.start = source.page_offset();
    } else {
        if (source.second() != nullptr) {
            info.key.page1 = source.second()->ram_offset;
        }
        info.hash = TbTraits::hash(info.key);
        if (provisional) {
            info.state = tcg::kTbProvisional;
        }
    }
    if (provisional || cache_.settings().profile) {
        info.saved_bytes = {source.bytes(), unit.guest_size};
    }
    info.guest_size = static_cast<uint16_t>(unit.guest_size);
    info.insn_count = static_cast<uint16_t>(unit.insn_count);
    return context_->add(info, compiled);
}

// ---- publishing ----

TranslationBlock* Translator::publish(const TranslationJob& job, TranslationBlock& tb) {
    PageMap& pages = cache_.pages();
    const PageClaim& claim = job.claim;
    const bool provisional = claim.provisional();
    // In its tree first: whoever finds the TB may run it, and meet an exception in it, at once.
    cache_.regions().trees().insert(tb);

    CodePage* first = &claim.page(0);
    CodePage* second = claim.count() == 2 && &claim.page(1) != first ? &claim.page(1) : nullptr;
    PagePairLock lock(*first, second);
    // Under the locks: see exposed_pages.h.
    // A process's page that was written to may be one that is no code any more, with the same bytes.
    const bool stale = claim.gone() || (claim.written() && pages.in_process()) ||
                       ((provisional || claim.written()) && !pages.bytes_match(tb, job.source.bytes()));
    TranslationBlock* const other = stale ? nullptr : cache_.blocks().insert(tb);
    if (!stale && other == nullptr) {
        pages.enlist(tb, *first, second);
        return &tb;
    }
    cache_.regions().trees().remove(tb);
    context_->take_back(&tb);
    (stale ? job.counters.translations_stale : job.counters.translations_lost).add();
    return other;
}

JobEnd Translator::full() {
    full_at_ = cache_.flush_count();
    return JobEnd::full;
}

JobEnd Translator::fail(std::string reason) {
    failure_ = std::move(reason);
    return JobEnd::failed;
}

void Translator::count(VcpuCounters& counters, const CompiledUnit& compiled) {
    const ir::Unit& unit = memory_.unit();
    counters.translations.add();
    counters.guest_bytes.add(unit.guest_size);
    counters.guest_insns.add(unit.insn_count);
    counters.host_bytes.add(compiled.code_size);
    counters.host_insns.add(compiled.host_insns);
}

}  // namespace weft::accel
