#include "accel/tcg/run/exec_loop.h"

#include <fmt/format.h>

#include <string>

#include "accel/tcg/blocks/insn_at_host_pc.h"
#include "accel/tcg/vcpu/block_at_pc.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "base/assert.h"
#include "base/log.h"

namespace weft::accel {

using tcg::ExitKind;
using tcg::TranslationBlock;

namespace {

bool logged(const Vcpu& vcpu, LogItem item) {
    return vcpu.host.log_enabled(vcpu.host.opaque, static_cast<unsigned>(item));
}

void log_line(const Vcpu& vcpu, const std::string& line) {
    vcpu.host.log(vcpu.host.opaque, line.data(), line.size());
}

}  // namespace

LoopExit ExecLoop::run(Vcpu& vcpu, EpochDomain::Reader& reader) {
    StateHeader& header = vcpu.header();
    vcpu.look_at_interrupts = vcpu.look_at_interrupts || clock_ == nullptr;
    Unlinked unlinked{};
    while (true) {
        // Cleared before anything that a requester or kicker may want is looked at (see EpochDomain::QuiescenceRequest).
        if (header.exit_request.load(std::memory_order_acquire) != 0) {
            header.exit_request.exchange(0, std::memory_order_seq_cst);
            // With the instruction clock interrupts have their time, and this is just any.
            vcpu.look_at_interrupts = vcpu.look_at_interrupts || clock_ == nullptr;
            if (attention_.wanted(vcpu)) {
                return LoopExit::attention;
            }
        }
        if (clock_ != nullptr && clock_->left() == 0) {
            return LoopExit::stopped;
        }
        if (vcpu.look_at_interrupts && take_interrupt(vcpu)) {
            unlinked = {};
        }
        vcpu.look_at_interrupts = false;
        reader.quiescent();
        // In this order: see JumpCache::process_drops().
        vcpu.jump_cache.process_drops();
        if (unlinked.source != nullptr &&
            cache_.regions().generation(unlinked.region) != unlinked.generation) {
            unlinked = {};
        }

        enter_context(vcpu);
        Target target{};
        const bool near_stop = clock_ != nullptr && clock_->left() < InsnClock::kMargin;
        switch (near_stop ? find_to_fit(vcpu, &target) : find(vcpu, unlinked, &target)) {
            case Found::code:
                break;
            case Found::again:
                unlinked = {};
                continue;
            case Found::full:
                return LoopExit::full;
            case Found::failed:
                vcpu.failed = true;
                return LoopExit::failed;
        }
        unlinked = {};

        header.page_pc = header.pc & ~(kPageSize - 1);
        vcpu.counters.loop_entries.add();
        const ExitKind kind = run_code(vcpu, target);
        if (vcpu.failed) {
            return LoopExit::failed;
        }
        if (kind == ExitKind::fault) {
            finish_fault(vcpu, target.single_use);
        } else if (kind == ExitKind::goto_tb) {
            TranslationBlock* const source = cache_.regions().block(vcpu.exec().exit_unit);
            unlinked = source == target.single_use
                           ? Unlinked{}
                           : Unlinked{source, vcpu.exec().exit_slot, source->region, source->generation};
        }
        if (target.single_use != nullptr) {
            translator_.release_single(target.single_use);
        }
        switch (kind) {
            case ExitKind::goto_tb:
            case ExitKind::indirect:
                break;
            case ExitKind::lookup:
                vcpu.look_at_interrupts = true;
                break;
            case ExitKind::fault:
                deliver(vcpu);
                break;
            case ExitKind::halt:
                vcpu.halted = true;
                vcpu.counters.halts.add();
                return LoopExit::halted;
            case ExitKind::yield:
                return LoopExit::yielded;
        }
    }
}

ExitKind ExecLoop::run_code(Vcpu& vcpu, const Target& target) {
    if (clock_ == nullptr) {
        return backend_.run(vcpu.state(), target.code);
    }
    clock_->enter(vcpu.executor(), target.return_after, target.single_use);
    const ExitKind kind = backend_.run(vcpu.state(), target.code);
    clock_->leave();
    return kind;
}

bool ExecLoop::take_interrupt(Vcpu& vcpu) {
    const uint64_t pc = vcpu.header().pc;
    if (!vcpu.guest.take_interrupt(vcpu.state())) {
        return false;
    }
    vcpu.counters.interrupts.add();
    if (logged(vcpu, LogItem::int_)) {
        log_line(vcpu,
                 fmt::format("cpu {}: interrupt at {:#x}, to {:#x}\n", vcpu.index, pc, vcpu.header().pc));
    }
    return true;
}

// What depends on TB flags and address space is brought up to date.
void ExecLoop::enter_context(Vcpu& vcpu) {
    vcpu.tb_flags = guest_.tb_flags(vcpu.state());
    vcpu.fetch_mode = guest_.fetch_mmu_mode(vcpu.tb_flags);
    vcpu.mmu.set_space(guest_.address_space(vcpu.state()));
    bool wrapped = false;
    vcpu.header().context_id =
        vcpu.contexts.id(vcpu.tb_flags, vcpu.mmu.fetch_context(vcpu.fetch_mode), &wrapped);
    if (wrapped) {
        vcpu.jump_cache.clear();
    }
    const ir::Rounding rounding = guest_.fp_rounding(vcpu.tb_flags);
    if (!vcpu.rounding_known || rounding != vcpu.rounding) {
        backend_.set_rounding(vcpu.state(), rounding);
        vcpu.rounding = rounding;
        vcpu.rounding_known = true;
    }
    const bool exec_logged = logged(vcpu, LogItem::exec);
    if (exec_logged && !vcpu.exec_logged) {
        // From now on TBs are entered from here, but for jumps that were linked before.
        vcpu.jump_cache.clear();
    }
    vcpu.exec_logged = exec_logged;
}

// The code for the vCPU's pc; translates it if need be. An unlinked jump that led here is linked.
ExecLoop::Found ExecLoop::find(Vcpu& vcpu, Unlinked unlinked, Target* target) {
    const uint64_t pc = vcpu.header().pc;
    const uint32_t context = vcpu.header().context_id;
    if (vcpu.exec_logged) {
        log_entry(vcpu);
    } else if (unlinked.source == nullptr) {
        if (const uint32_t offset = vcpu.jump_cache.lookup_code(pc, context); offset != JumpCache::kNone) {
            vcpu.counters.lookup_jump_cache.add();
            target->code = cache_.code_at(offset);
            return Found::code;
        }
    }
    FetchPage page{};
    TranslationBlock* tb = nullptr;
    if (const Found found = find_or_translate(vcpu, &page, &tb); found != Found::code) {
        return found;
    }
    target->code = tb->code;
    if ((tb->state.load(std::memory_order_relaxed) & tcg::kTbUnhashed) != 0) {
        target->single_use = tb;
        return Found::code;
    }
    if (vcpu.exec_logged) {
        return Found::code;  // not remembered, so that the next entry is logged as well
    }
    remember_block(vcpu, pc, *tb);
    if (unlinked.source != nullptr && BlockTable::may_link(*unlinked.source, unlinked.slot, *tb) &&
        cache_.blocks().link(*unlinked.source, unlinked.slot, *tb)) {
        vcpu.counters.links.add();
    }
    return Found::code;
}

// The TB for the vCPU's pc, and the page the pc is in.
ExecLoop::Found ExecLoop::find_or_translate(Vcpu& vcpu, FetchPage* page, TranslationBlock** tb) {
    const uint64_t pc = vcpu.header().pc;
    if (!vcpu.mmu.fetch(pc, vcpu.fetch_mode, page)) {
        deliver(vcpu);
        return Found::again;
    }
    if (!page->device) {
        // Before the table is searched: it seldom has what this vCPU meets for one of the first times.
        if (vcpu.visits.cold(pc) && may_interpret(vcpu)) {
            if (const Found found = interpret(vcpu, *page); found != Found::code) {
                return found;
            }
            vcpu.visits.set_hot(pc);
        }
        *tb = block_at_pc(vcpu, pc, *page);
        if (*tb != nullptr) {
            vcpu.counters.lookup_table.add();
            return Found::code;
        }
    }
    vcpu.counters.lookup_miss.add();
    return translate(vcpu, *page, 0, tb);
}

// Logs show all that runs; so do units of one instruction, and the instruction clock counts in units.
bool ExecLoop::may_interpret(const Vcpu& vcpu) const {
    return guest_.run != nullptr && clock_ == nullptr && !vcpu.exec_logged &&
           !cache_.settings().one_insn_per_tb && !logged(vcpu, LogItem::in_asm) &&
           !logged(vcpu, LogItem::op) && !logged(vcpu, LogItem::op_opt) && !logged(vcpu, LogItem::out_asm);
}

// Runs the code at the vCPU's pc as it stands, and goes on with what it jumps to in its page while that is as rare and
// has no translation at hand. Found::code: the first instruction is one that needs a translation; else how to go on.
ExecLoop::Found ExecLoop::interpret(Vcpu& vcpu, const FetchPage& page) {
    StateHeader& header = vcpu.header();
    const uint64_t begun = header.pc;
    const uint64_t first_page = begun & ~(kPageSize - 1);
    for (bool moved = false;; moved = true) {
        const RunResult result = guest_.run(vcpu.state(), vcpu.tb_flags, page.host);
        vcpu.counters.cold_runs.add();
        vcpu.counters.cold_insns.add(result.insns);
        if (vcpu.failed) {
            return Found::failed;
        }
        if (result.stop == RunStop::exception) {
            deliver(vcpu);
            return Found::again;
        }
        if (result.stop == RunStop::translate) {
            return moved || result.insns != 0 ? Found::again : Found::code;
        }
        const uint64_t pc = header.pc;
        if ((pc & ~(kPageSize - 1)) != first_page ||
            header.exit_request.load(std::memory_order_relaxed) != 0 ||
            vcpu.jump_cache.lookup_code(pc, header.context_id) != JumpCache::kNone) {
            return Found::again;
        }
        if (!vcpu.visits.cold(pc)) {
            return translate_beginning(vcpu, page, begun);
        }
    }
}

// What the code that began at `begun`, in `page`, has come to is hot, most likely a loop, and is about to be translated:
// its beginning is translated first, so that the two lie side by side in memory, as they will be run.
ExecLoop::Found ExecLoop::translate_beginning(Vcpu& vcpu, const FetchPage& page, uint64_t begun) {
    StateHeader& header = vcpu.header();
    const uint64_t pc = header.pc;
    if (pc == begun || block_at_pc(vcpu, begun, page) != nullptr) {
        return Found::again;
    }
    header.pc = begun;
    tcg::TranslationBlock* tb = nullptr;
    // That there is no space for it, or that its bytes, which were run just now, cannot be fetched any more, matters to
    // nobody yet: who comes here again meets the same.
    const TranslateOutcome outcome = translator_.translate(vcpu, page, 0, &tb);
    header.raised = 0;
    header.pc = pc;
    if (outcome == TranslateOutcome::failed) {
        return Found::failed;
    }
    if (outcome == TranslateOutcome::ok &&
        (tb->state.load(std::memory_order_relaxed) & tcg::kTbUnhashed) != 0) {
        translator_.release_single(tb);  // other bytes meanwhile, which reach into a device
    }
    vcpu.visits.set_hot(begun);
    return Found::again;
}

ExecLoop::Found ExecLoop::translate(Vcpu& vcpu, const FetchPage& page, uint32_t insns,
                                    TranslationBlock** tb) {
    switch (translator_.translate(vcpu, page, insns, tb)) {
        case TranslateOutcome::ok:
            return Found::code;
        case TranslateOutcome::fault:
            deliver(vcpu);
            return Found::again;
        case TranslateOutcome::full:
            return Found::full;
        case TranslateOutcome::failed:
            return Found::failed;
    }
    return Found::failed;
}

// The same near the instruction clock's stop: code that does not go past it, by itself. A unit that is too long is
// translated as far as there is time for it.
ExecLoop::Found ExecLoop::find_to_fit(Vcpu& vcpu, Target* target) {
    if (vcpu.exec_logged) {
        log_entry(vcpu);
    }
    const auto left = static_cast<uint32_t>(clock_->left());
    FetchPage page{};
    TranslationBlock* tb = nullptr;
    if (const Found found = find_or_translate(vcpu, &page, &tb); found != Found::code) {
        return found;
    }
    if (tb->insn_count > left) {
        if (const Found found = translate(vcpu, page, left, &tb); found != Found::code) {
            return found;
        }
    }
    target->code = tb->code;
    target->return_after = true;
    target->single_use = (tb->state.load(std::memory_order_relaxed) & tcg::kTbUnhashed) != 0 ? tb : nullptr;
    return Found::code;
}

// Delivers the recorded exception to the instruction at the vCPU's pc.
void ExecLoop::deliver(Vcpu& vcpu) {
    StateHeader& header = vcpu.header();
    const uint64_t pc = header.pc;
    backend_.collect_fp_flags(vcpu.state());
    header.raised = 0;
    guest_.deliver(vcpu.state());
    vcpu.look_at_interrupts = true;
    if (clock_ != nullptr) {
        clock_->advance(vcpu.executor(), 1);
    }
    vcpu.counters.exceptions.add();
    if (logged(vcpu, LogItem::int_)) {
        log_line(vcpu, fmt::format("cpu {}: exception at {:#x}, to {:#x}\n", vcpu.index, pc, header.pc));
    }
}

// Brings pc and instruction clock to the instruction that met the exception.
void ExecLoop::finish_fault(Vcpu& vcpu, const TranslationBlock* single_use) {
    const CodePlace place = insn_at_host_pc(cache_, vcpu.exec().exit_host_pc, single_use);
    StateHeader& header = vcpu.header();
    header.pc = header.page_pc + static_cast<uint64_t>(int64_t{place.pc_offset});
    if (clock_ != nullptr) {
        clock_->advance(vcpu.executor(), place.index);
    }
}

void ExecLoop::log_entry(const Vcpu& vcpu) const {
    if (vcpu.host.log_in_filter(vcpu.host.opaque, vcpu.header().pc, 1)) {
        log_line(vcpu,
                 fmt::format("cpu {}: exec {:#x} [{:#x}]\n", vcpu.index, vcpu.header().pc, vcpu.tb_flags));
    }
}

}  // namespace weft::accel
