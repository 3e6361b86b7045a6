#include "accel/tcg/translate/translator.h"

#include <algorithm>
#include <new>
#include <span>
#include <utility>

#include "accel/tcg/vcpu/block_at_pc.h"
#include "base/assert.h"
#include "tcg/ir/jumps_back.h"
#include "tcg/ir/verify.h"

namespace weft::accel {

using tcg::CompileStatus;
using tcg::TranslationBlock;

namespace {

std::span<const HelperDesc> helpers(const GuestArch& guest) { return {guest.helpers, guest.helper_count}; }

UnitQuery query_of(const TranslationJob& job) {
    const UnitSource& source = job.source;
    return {{source.bytes(), source.size()},
            job.tb_flags,
            source.page_offset(),
            source.max_insns(),
            source.page_sample()};
}

}  // namespace

Result<std::unique_ptr<Translator>> Translator::create(TranslationCache& cache, TranslationStore* store) {
    auto context = cache.regions().claim();
    if (!context) {
        return std::unexpected(context.error());
    }
    return std::unique_ptr<Translator>(new Translator(cache, store, std::move(*context)));
}

Translator::Translator(TranslationCache& cache, TranslationStore* store,
                       std::unique_ptr<tcg::CodeContext> context)
    : cache_(cache),
      store_(store),
      reader_(store != nullptr ? std::make_unique<BlockReader>() : nullptr),
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
    Made made;
    if (const auto status = take_stored(job, &made)) {
        if (*status == CompileStatus::ok) {
            return finish(job, made, tb);
        }
        job.counters.translations_retried.add();
        if (!context_->region_empty()) {
            return full();
        }
        made = Made{};
    }
    uint32_t max_insns = source.max_insns();
    while (true) {
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
            const CompileStatus status = compile(&made);
            if (status == CompileStatus::ok) {
                return finish(job, made, tb);
            }
            if (status == CompileStatus::region_full && !context_->region_empty()) {
                job.counters.translations_retried.add();
                return full();
            }
        }
        if (max_insns == 1) {
            // An empty region without a window lacks the memory of its tables.
            return fail(context_->window().size == 0 ? "there is no memory for its tables"
                                                     : "its translation does not fit into an empty region");
        }
        max_insns = std::max(1u, std::min(max_insns, memory_.unit().insn_count) / 2);
        job.counters.translations_retried.add();
    }
}

JobEnd Translator::finish(const TranslationJob& job, const Made& made, TranslationBlock** tb) {
    const UnitSource& source = job.source;
    TranslationBlock* const block = add(job, made);
    if (block == nullptr) {
        return context_->region_empty() ? fail("there is no memory for its tables") : full();
    }
    log_.out_asm(cache_.backend(), {cache_.buffer().to_rw(block->code), block->code, block->code_size},
                 source.pc(), block->guest_size);
    count(job, made);
    CodeObserver* const observer = cache_.observer();
    if (observer != nullptr) {
        observer->made(*block);
    }
    // Before others know it: they patch its jumps.
    const bool keep = make_record(job, made, *block);
    *tb = source.single_use() ? block : publish(job, *block);
    if (*tb != block) {
        return *tb != nullptr ? JobEnd::done : JobEnd::stale;
    }
    if (observer != nullptr) {
        observer->kept(*block);
    }
    if (keep) {
        store_->add(query_of(job), record_);
    }
    return JobEnd::done;
}

// ---- the store ----

bool Translator::may_be_stored(const TranslationJob& job) const {
    const UnitSource& source = job.source;
    const uint64_t start = key_of(source.first(), source.pc(), job.tb_flags).start;
    return store_ != nullptr && source.first().lasting && source.second() == nullptr &&
           !source.single_use() && !log_.wants_ir() && !cache_.ungrouped().contains(start) &&
           !cache_.carrying().contains(start) && cache_.uncarried().of(source.first().ram_offset) == 0;
}

std::optional<CompileStatus> Translator::take_stored(const TranslationJob& job, Made* made) {
    if (!may_be_stored(job)) {
        return std::nullopt;
    }
    const std::optional<StoredUnit> unit = store_->find(query_of(job), *reader_, &record_);
    if (!unit) {
        return std::nullopt;
    }
    made->compiled = unit->compiled;
    made->guest_size = unit->guest_size;
    made->insn_count = unit->insn_count;
    made->stored = true;
    log_.in_asm({job.source.bytes(), unit->guest_size}, job.source.pc());
    return into_region([&](tcg::CodeWindow window) {
        if (unit->code.size() > window.size) {
            return CompileStatus::region_full;
        }
        const std::span<uint8_t> code(window.bytes(), unit->code.size());
        std::ranges::copy(unit->code, code.begin());
        cache_.backend().move({.code = code,
                               .outside = unit->compiled.outside,
                               .jumps = std::span(unit->compiled.jumps).first(unit->compiled.jump_count),
                               .distance = window.rx - cache_.buffer().rx(),
                               .unit_index = context_->next_unit()});
        return CompileStatus::ok;
    });
}

bool Translator::make_record(const TranslationJob& job, const Made& made, const TranslationBlock& tb) try {
    if (made.stored || !may_be_stored(job)) {
        return false;
    }
    const auto* const code = cache_.buffer().to_rw(tb.code).as<const uint8_t>();
    moving_.assign(code, code + tb.code_size);
    cache_.backend().move({.code = moving_,
                           .outside = made.compiled.outside,
                           .jumps = std::span(made.compiled.jumps).first(made.compiled.jump_count),
                           .distance = cache_.buffer().rx() - tb.code,
                           .unit_index = 0});
    StoredUnit unit{};
    unit.compiled = made.compiled;
    unit.compiled.encoded_insns = tb.insn_table_bytes();
    unit.guest_size = made.guest_size;
    unit.insn_count = made.insn_count;
    unit.code = moving_;
    record_.clear();
    return append_record(query_of(job), unit, &record_);
} catch (const std::bad_alloc&) {
    return false;
}

// ---- making the unit ----

// Whether accesses compare with the page that they found last. That takes words of the state for each, and much more code where they
// did not: it pays where the unit runs over and over. What is used once finds no page that it found before.
bool Translator::carries(const TranslationJob& job, const ir::Unit& unit) const {
    const UnitSource& source = job.source;
    return !source.single_use() &&
           (!cache_.settings().carry_where_hot || tcg::jumps_back(unit) ||
            cache_.carrying().contains(key_of(source.first(), source.pc(), job.tb_flags).start));
}

// Has the guest translate, and optimizes. too_big: fewer instructions may fit.
Translator::Built Translator::build(const TranslationJob& job, uint32_t max_insns) {
    const UnitSource& source = job.source;
    TranslateRequest request{};
    request.model = guest_.model;
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
    request.inline_csrs = cache_.settings().inline_csrs;
    request.inner_branches = cache_.settings().inner_branches && cache_.settings().clock != ClockKind::insn;
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
    unit.uncarried = carries(job, unit) ? cache_.uncarried().of(source.first().ram_offset) : ~uint64_t{0};
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

template <class Write>
CompileStatus Translator::into_region(Write&& write) {
    while (true) {
        tcg::CodeWindow window = context_->window();
        window.size = std::min(window.size, kMaxWindow);
        const CompileStatus status = window.size == 0 ? CompileStatus::region_full : write(window);
        if (status != CompileStatus::region_full || context_->region_empty() || !context_->next_region()) {
            return status;
        }
    }
}

CompileStatus Translator::compile(Made* made) {
    const ir::Unit& unit = memory_.unit();
    made->guest_size = unit.guest_size;
    made->insn_count = unit.insn_count;
    return into_region([&](tcg::CodeWindow window) {
        return compiler_->compile(unit, window, context_->next_unit(), &made->compiled);
    });
}

TranslationBlock* Translator::add(const TranslationJob& job, const Made& made) {
    const UnitSource& source = job.source;
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
        info.saved_bytes = {source.bytes(), made.guest_size};
    }
    info.guest_size = static_cast<uint16_t>(made.guest_size);
    info.insn_count = static_cast<uint16_t>(made.insn_count);
    return context_->add(info, made.compiled);
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
    const bool never_compared = pages.in_process() || job.of == JobOf::worker;
    const bool stale = claim.gone() || (claim.written() && never_compared) ||
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

void Translator::count(const TranslationJob& job, const Made& made) {
    VcpuCounters& counters = job.counters;
    counters.translations.add();
    if (job.of == JobOf::worker) {
        counters.translations_beside.add();
    }
    if (made.stored) {
        counters.translations_stored.add();
    }
    counters.guest_bytes.add(made.guest_size);
    counters.guest_insns.add(made.insn_count);
    counters.host_bytes.add(made.compiled.code_size);
    counters.host_insns.add(made.compiled.host_insns);
}

}  // namespace weft::accel
