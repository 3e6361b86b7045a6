#include "accel/tcg/translate/translator.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>

#include "accel/tcg/vcpu/block_at_pc.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "base/assert.h"
#include "tcg/ir/verify.h"
#include "weft/guest_ram.h"

namespace weft::accel {

using tcg::CompiledUnit;
using tcg::CompileStatus;
using tcg::TranslationBlock;

namespace {

// A unit ends at the page's end at the latest; shorter ones waste less when they are invalidated.
constexpr uint32_t kMaxInsns = 512;
// Most units are far shorter: reading a page for each would cost more than now and then a unit that ends early.
constexpr uint32_t kMaxBytes = 2048;
static_assert(kMaxInsns <= InsnClock::kMargin);

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

TranslateOutcome Translator::translate(Vcpu& vcpu, const FetchPage& page, uint32_t insns,
                                       TranslationBlock** tb) {
    const auto start = std::chrono::steady_clock::now();
    TranslateOutcome outcome{};
    do {
        *tb = nullptr;
        cache_.upkeep(&vcpu.thread);
        outcome = attempt(vcpu, page, insns, tb);
        // Null: the bytes changed under the translation.
    } while (outcome == TranslateOutcome::ok && *tb == nullptr);
    const auto took = std::chrono::steady_clock::now() - start;
    vcpu.counters.translate_ns.add(
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(took).count()));
    return outcome;
}

TranslateOutcome Translator::attempt(Vcpu& vcpu, const FetchPage& page, uint32_t insns,
                                     TranslationBlock** tb) {
    PageClaim claim(cache_.pages());
    Source& source = source_;
    source.pc = vcpu.header().pc;
    source.first = page;
    source.has_second = false;
    source.insn_limit = insns != 0;
    source.size = 0;
    uint32_t max_insns = cache_.settings().one_insn_per_tb || page.device ? 1 : kMaxInsns;
    max_insns = source.insn_limit ? std::min(max_insns, insns) : max_insns;
    if (!read_first(vcpu, source, claim, max_insns)) {
        return TranslateOutcome::fault;
    }
    while (true) {
        TranslateOutcome outcome{};
        if (!build(vcpu, source, claim, max_insns, &outcome)) {
            if (outcome != TranslateOutcome::ok) {
                return outcome;
            }
            if (max_insns == 1) {
                return fail(vcpu, "its translation does not fit into an empty region");
            }
            max_insns = std::max(1u, std::min(max_insns, memory_.unit().insn_count) / 2);
            vcpu.counters.translations_retried.add();
            continue;
        }
        if (source.has_second && !source.single_use()) {
            // Only now is it known that the instruction reaches into the second page: it may be there already.
            tcg::TbKey key = key_of(source.first, source.pc, vcpu.tb_flags);
            key.page1 = source.second.ram_offset;
            if (TranslationBlock* known = cache_.blocks().find(key)) {
                *tb = known;
                return TranslateOutcome::ok;
            }
        }
        CompiledUnit compiled{};
        switch (compile(&compiled)) {
            case CompileStatus::region_full:
                vcpu.counters.translations_retried.add();
                if (!context_->region_empty()) {
                    full_at_ = cache_.flush_count();
                    return TranslateOutcome::full;
                }
                [[fallthrough]];
            case CompileStatus::too_big:
                if (max_insns == 1) {
                    return fail(vcpu, "its translation does not fit into an empty region");
                }
                max_insns = std::max(1u, std::min(max_insns, memory_.unit().insn_count) / 2);
                vcpu.counters.translations_retried.add();
                continue;
            case CompileStatus::ok:
                break;
        }
        TranslationBlock* made = add(vcpu, source, claim, compiled);
        if (made == nullptr) {
            if (context_->region_empty()) {
                return fail(vcpu, "there is no memory for its tables");
            }
            full_at_ = cache_.flush_count();
            return TranslateOutcome::full;
        }
        log_.out_asm(cache_.backend(), {cache_.buffer().to_rw(made->code), made->code, made->code_size},
                     source.pc, made->guest_size);
        count(vcpu, compiled);
        CodeObserver* const observer = cache_.observer();
        if (observer != nullptr) {
            observer->made(*made);
        }
        *tb = source.single_use() ? made : publish(vcpu, *made, source, claim);
        if (observer != nullptr && *tb == made) {
            observer->kept(*made);
        }
        return TranslateOutcome::ok;
    }
}

// ---- the guest's bytes ----

bool Translator::read_first(Vcpu& vcpu, Source& source, PageClaim& claim, uint32_t max_insns) {
    if (source.first.device) {
        return read_device(vcpu, source, source.first);
    }
    const uint64_t offset = source.pc & (kPageSize - 1);
    source.size = static_cast<uint32_t>(
        std::min<uint64_t>({kPageSize - offset, uint64_t{max_insns} * guest_.max_insn_size, kMaxBytes}));
    claim.add(source.first.ram_offset, source.first.host, vcpu);
    guest_ram::read(source.bytes.data(), source.first.host + offset, source.size);
    return true;
}

// The first instruction reaches past what was read: past the page, or past the few bytes read of a device.
bool Translator::read_more(Vcpu& vcpu, Source& source, PageClaim& claim) {
    const uint64_t next = source.pc + source.size;
    if ((next & (kPageSize - 1)) != 0) {
        // The page is read in pieces because it is a device, or because what may be executed ends somewhere in it: then the
        // right to the piece before says nothing about this one.
        FetchPage page{};
        return vcpu.mmu.fetch(next, vcpu.fetch_mode, &page) && read_device(vcpu, source, page);
    }
    if (!source.has_second) {
        if (!vcpu.mmu.fetch(next, vcpu.fetch_mode, &source.second)) {
            return false;
        }
        source.has_second = true;
    }
    if (source.second.device) {
        return read_device(vcpu, source, source.second);
    }
    if (!source.first.device) {
        claim.add(source.second.ram_offset, source.second.host, vcpu);
    }
    guest_ram::read(source.bytes.data() + source.size, source.second.host, guest_.max_insn_size);
    source.size += guest_.max_insn_size;
    return true;
}

// Reads as little of a device as an instruction can be: reading may have effects.
bool Translator::read_device(Vcpu& vcpu, Source& source, const FetchPage& page) {
    const uint64_t next = source.pc + source.size;
    uint64_t value = 0;
    if (vcpu.memory.device_read(vcpu.reader.get(), page.paddr, guest_.min_insn_size, &value) !=
        DeviceStatus::ok) {
        vcpu.guest.bus_error(vcpu.state(), next, Access::fetch);
        return false;
    }
    for (uint32_t i = 0; i < guest_.min_insn_size; ++i) {
        source.bytes[source.size++] = static_cast<uint8_t>(value >> 8 * i);
    }
    return true;
}

// ---- making the unit ----

// Has the guest translate, and optimizes. False with *outcome ok: fewer instructions; else that is the outcome.
bool Translator::build(Vcpu& vcpu, Source& source, PageClaim& claim, uint32_t max_insns,
                       TranslateOutcome* outcome) {
    *outcome = TranslateOutcome::ok;
    TranslateRequest request{};
    request.tb_flags = vcpu.tb_flags;
    request.code = source.bytes.data();
    request.page_offset = static_cast<uint32_t>(source.pc & (kPageSize - 1));
    request.one_insn_per_tb = cache_.settings().one_insn_per_tb;
    while (true) {
        ir::Unit& unit = memory_.begin_unit();
        request.code_size = source.size;
        request.max_insns = source.has_second ? 1 : max_insns;
        const TranslateStatus status =
            unit.error != ir::UnitError::none ? TranslateStatus::too_big : guest_.translate(&request, &unit);
        if (unit.error == ir::UnitError::out_of_memory) {
            *outcome = fail(vcpu, "there is no memory for its translation");
            return false;
        }
        if (status == TranslateStatus::too_big) {
            return false;
        }
        if (status == TranslateStatus::ok) {
            break;
        }
        WEFT_ASSERT(source.size < 2 * guest_.max_insn_size || !source.has_second);
        if (!read_more(vcpu, source, claim)) {
            *outcome = TranslateOutcome::fault;
            return false;
        }
    }
    ir::Unit& unit = memory_.unit();
    unit.ungrouped = !source.single_use() &&
                     cache_.ungrouped().contains(key_of(source.first, source.pc, vcpu.tb_flags).start);
    log_.in_asm({source.bytes.data(), unit.guest_size}, source.pc);
    log_.op(unit, source.pc);
    if constexpr (WEFT_DEBUG != 0) {
        // The guest's translator broke the rules of weft/ir.h.
        if (const Result<> verified = tcg::verify(unit, helpers(guest_)); !verified) {
            *outcome = fail(vcpu, verified.error().message().c_str());
            return false;
        }
    }
    optimizer_.optimize(unit, helpers(guest_));
    log_.op_opt(unit, source.pc);
    return true;
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

TranslationBlock* Translator::add(const Vcpu& vcpu, const Source& source, const PageClaim& claim,
                                  const CompiledUnit& compiled) {
    const ir::Unit& unit = memory_.unit();
    tcg::BlockInfo info{};
    info.key = key_of(source.first, source.pc, vcpu.tb_flags);
    info.pc = source.pc;
    if (source.single_use()) {
        info.state = tcg::kTbUnhashed;
        info.key.start = source.pc & (kPageSize - 1);
    } else {
        if (source.has_second) {
            info.key.page1 = source.second.ram_offset;
        }
        info.hash = TbTraits::hash(info.key);
        if (claim.provisional()) {
            info.state = tcg::kTbProvisional;
        }
    }
    if (claim.provisional() || cache_.settings().profile) {
        info.saved_bytes = {source.bytes.data(), unit.guest_size};
    }
    info.guest_size = static_cast<uint16_t>(unit.guest_size);
    info.insn_count = static_cast<uint16_t>(unit.insn_count);
    return context_->add(info, compiled);
}

// ---- publishing ----

TranslationBlock* Translator::publish(Vcpu& vcpu, TranslationBlock& tb, const Source& source,
                                      PageClaim& claim) {
    PageMap& pages = cache_.pages();
    const bool provisional = claim.provisional();
    // In its tree first: whoever finds the TB may run it, and meet an exception in it, at once.
    cache_.regions().trees().insert(tb);

    CodePage* first = &claim.page(0);
    CodePage* second = claim.count() == 2 && &claim.page(1) != first ? &claim.page(1) : nullptr;
    PagePairLock lock(*first, second);
    // Under the locks: see exposed_pages.h.
    const bool stale = (provisional || claim.written()) && !pages.bytes_match(tb, source.bytes.data());
    TranslationBlock* const other = stale ? nullptr : cache_.blocks().insert(tb);
    if (!stale && other == nullptr) {
        pages.enlist(tb, *first, second);
        return &tb;
    }
    cache_.regions().trees().remove(tb);
    context_->take_back(&tb);
    (stale ? vcpu.counters.translations_stale : vcpu.counters.translations_lost).add();
    return other;
}

void Translator::release_single(TranslationBlock* tb) { context_->take_back(tb); }

TranslateOutcome Translator::fail(Vcpu& vcpu, const char* reason) {
    const std::string message =
        fmt::format("cannot translate the instruction at {:#x}: {}", vcpu.header().pc, reason);
    vcpu.host.fatal(vcpu.host.opaque, message.c_str());
    return TranslateOutcome::failed;
}

void Translator::count(Vcpu& vcpu, const CompiledUnit& compiled) {
    const ir::Unit& unit = memory_.unit();
    VcpuCounters& counters = vcpu.counters;
    counters.translations.add();
    counters.guest_bytes.add(unit.guest_size);
    counters.guest_insns.add(unit.insn_count);
    counters.host_bytes.add(compiled.code_size);
    counters.host_insns.add(compiled.host_insns);
}

}  // namespace weft::accel
