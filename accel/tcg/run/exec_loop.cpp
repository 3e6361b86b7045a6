#include "accel/tcg/run/exec_loop.h"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "accel/tcg/vcpu/block_at_pc.h"
#include "accel/tcg/vcpu/out_of_memory.h"
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
    UnlinkedJump unlinked{};
    while (true) {
        // Cleared before anything that a requester or kicker may want is looked at (see EpochDomain::QuiescenceRequest).
        if (header.exit_request.load(std::memory_order_acquire) != 0) {
            header.exit_request.exchange(0, std::memory_order_seq_cst);
            // With the instruction clock interrupts have their time, and this is just any.
            vcpu.look_at_interrupts = vcpu.look_at_interrupts || clock_ == nullptr;
            if (attention_.wanted(vcpu)) {
                // Whoever it stops for may look at all of the state.
                backend_.collect_fp_flags(vcpu.state());
                return LoopExit::attention;
            }
        }
        if (clock_ != nullptr && clock_->left() == 0) {
            return LoopExit::stopped;
        }
        if (vcpu.debug_run != DebugRun::run) [[unlikely]] {
            return debug_step(vcpu, reader);
        }
        if (const uint64_t pc = vcpu.header().pc; vcpu.look_at_interrupts && take_interrupt(vcpu)) {
            sample(vcpu, pc, unlinked);
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
        if (vcpu.short_turn != 0 && (vcpu.fetch_mode == kUserMmuMode || --vcpu.short_turn == 0)) {
            vcpu.short_turn = 0;
            return LoopExit::turn_over;
        }
        if (vcpu.debugged() && vcpu.debug_points->breakpoint_at(header.pc)) [[unlikely]] {
            return stop_for_debugger(vcpu, {.kind = DebugStop::Kind::breakpoint, .address = header.pc});
        }
        Target target{};
        switch (next(vcpu, unlinked, &target)) {
            case Found::code:
                break;
            case Found::fault:
                if (watchpoint_met(vcpu)) {
                    return LoopExit::debug;
                }
                if (!again(vcpu) && !deliver(vcpu)) {
                    return LoopExit::exception;
                }
                [[fallthrough]];
            case Found::rare:
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
        reader_ = &reader;
        once_ = target.once.single_use() != nullptr;
        const ExitKind kind = run_code(vcpu, target);
        if (vcpu.failed) {
            release_single(translators_, target.once);
            return LoopExit::failed;
        }
        if (kind == ExitKind::fault) {
            finish_fault(vcpu, target.once.single_use());
        } else if (kind == ExitKind::goto_tb) {
            TranslationBlock* const source = cache_.regions().block(vcpu.exec().exit_unit);
            unlinked = source == target.once.tb
                           ? UnlinkedJump{}
                           : UnlinkedJump{source, vcpu.exec().exit_slot, source->region, source->generation};
        }
        release_single(translators_, target.once);
        switch (kind) {
            case ExitKind::goto_tb:
            case ExitKind::indirect:
                break;
            case ExitKind::lookup:
                vcpu.look_at_interrupts = true;
                break;
            case ExitKind::fault:
                if (watchpoint_met(vcpu)) {
                    return LoopExit::debug;
                }
                if (!again(vcpu) && !deliver(vcpu)) {
                    return LoopExit::exception;
                }
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

// What `run` does between two units where nobody wants anything of the vCPU and the next one is in the jump cache. The code that
// was left is held no more: whatever is gone on with is looked up behind the quiescent point. A unit made for one use is released by
// `run` before that.
tcg::Onward ExecLoop::go_on(Vcpu& vcpu, ExitKind kind) {
    StateHeader& header = vcpu.header();
    if (header.exit_request.load(std::memory_order_acquire) != 0 || once_ || vcpu.exec_logged ||
        (vcpu.debug_points != nullptr && vcpu.debug_points->any())) {
        return {{}, kind};
    }
    if (kind == ExitKind::fault) {
        finish_fault(vcpu, nullptr);
        if (!again(vcpu)) {
            deliver(vcpu);
        }
    }
    if (guest_.interrupt_known != nullptr && guest_.interrupt_known(vcpu.state())) {
        return {{}, ExitKind::lookup};
    }
    reader_->quiescent();
    vcpu.jump_cache.process_drops();
    enter_context(vcpu);
    const bool turn_over = vcpu.short_turn != 0 && (vcpu.fetch_mode == kUserMmuMode || vcpu.short_turn == 1);
    const uint32_t offset = vcpu.jump_cache.lookup_code(header.pc, header.context_id);
    if (turn_over || offset == JumpCache::kNone || vcpu.exec_logged) {
        return {{}, ExitKind::lookup};
    }
    vcpu.short_turn -= vcpu.short_turn != 0 ? 1 : 0;
    header.page_pc = header.pc & ~(kPageSize - 1);
    vcpu.counters.went_on.add();
    return {cache_.code_at(offset), ExitKind::lookup};
}

LoopExit ExecLoop::step(Vcpu& vcpu, EpochDomain::Reader& reader) {
    StateHeader& header = vcpu.header();
    while (true) {
        reader.quiescent();
        vcpu.jump_cache.process_drops();
        enter_context(vcpu);
        Target target{};
        switch (finder_.find_one_insn(vcpu, &target)) {
            case Found::code:
                break;
            case Found::fault:
            case Found::rare:
                deliver(vcpu);
                return LoopExit::exception;
            case Found::full:
                return LoopExit::full;
            case Found::failed:
                vcpu.failed = true;
                return LoopExit::failed;
        }
        header.page_pc = header.pc & ~(kPageSize - 1);
        const ExitKind kind = run_code(vcpu, target);
        header.exit_request.exchange(0, std::memory_order_seq_cst);
        if (kind == ExitKind::fault && !vcpu.failed) {
            finish_fault(vcpu, target.once.single_use());
        }
        release_single(translators_, target.once);
        if (vcpu.failed) {
            return LoopExit::failed;
        }
        if (kind != ExitKind::fault) {
            return LoopExit::attention;
        }
        if (!again(vcpu)) {
            deliver(vcpu);
            return LoopExit::exception;
        }
    }
}

// ---- for a machine's debugger ----

// The instruction at the vCPU's pc, and what it raises; of interrupts only where the debugger wants them.
LoopExit ExecLoop::debug_step(Vcpu& vcpu, EpochDomain::Reader& reader) {
    const DebugStop done{.kind = DebugStop::Kind::step};
    if (vcpu.debug_run == DebugRun::step_with_interrupts && take_interrupt(vcpu)) {
        return stop_for_debugger(vcpu, done);
    }
    reader.quiescent();
    vcpu.jump_cache.process_drops();
    enter_context(vcpu);
    Target target{};
    switch (finder_.find_one_insn(vcpu, &target)) {
        case Found::code:
            break;
        case Found::fault:
        case Found::rare:
            deliver(vcpu);
            return stop_for_debugger(vcpu, done);
        case Found::full:
            return LoopExit::full;
        case Found::failed:
            vcpu.failed = true;
            return LoopExit::failed;
    }
    vcpu.header().page_pc = vcpu.header().pc & ~(kPageSize - 1);
    vcpu.counters.loop_entries.add();
    const ExitKind kind = run_code(vcpu, target);
    if (kind == ExitKind::fault && !vcpu.failed) {
        finish_fault(vcpu, target.once.single_use());
    }
    release_single(translators_, target.once);
    if (vcpu.failed) {
        return LoopExit::failed;
    }
    if (kind == ExitKind::fault) {
        if (watchpoint_met(vcpu)) {
            return LoopExit::debug;
        }
        if (again(vcpu)) {
            return debug_step(vcpu, reader);  // what is there now takes the access
        }
        deliver(vcpu);
    } else if (kind == ExitKind::halt) {
        vcpu.halted = true;
        vcpu.counters.halts.add();
    }
    vcpu.look_at_interrupts = true;
    return stop_for_debugger(vcpu, done);
}

// In a page with a breakpoint, which is not at the vCPU's pc: as next(), but no further than to the next one.
Found ExecLoop::next_beside_breakpoint(Vcpu& vcpu, Target* target) {
    const uint64_t pc = vcpu.header().pc;
    FetchPage page;
    if (interpreted_.allowed(vcpu)) {
        if (!vcpu.memory.fetch(pc, vcpu.fetch_mode, &page)) {
            return Found::fault;
        }
        const auto size = static_cast<uint32_t>(vcpu.debug_points->next_stop(pc) - pc);
        const auto end = static_cast<uint32_t>(pc & (kPageSize - 1)) + size;
        const Interpreted done = page.device ? Interpreted::translate : interpreted_.run_to(vcpu, page, end);
        switch (done) {
            case Interpreted::went_on:
                return Found::rare;
            case Interpreted::fault:
                return Found::fault;
            case Interpreted::failed:
                return Found::failed;
            case Interpreted::translate:
                break;
        }
    }
    return finder_.find_one_insn(vcpu, target);
}

// Until the debugger lets it go on.
LoopExit ExecLoop::stop_for_debugger(Vcpu& vcpu, const DebugStop& stop) {
    backend_.collect_fp_flags(vcpu.state());
    vcpu.debug_run = DebugRun::stay;
    DebugStop told = stop;
    told.vcpu_index = vcpu.index;
    if (vcpu.host.debug_stopped != nullptr) {
        vcpu.host.debug_stopped(vcpu.host.opaque, &told);
    }
    return LoopExit::debug;
}

// Whether that is why the instruction at the vCPU's pc was left; then it has stopped.
bool ExecLoop::watchpoint_met(Vcpu& vcpu) {
    if (vcpu.debug_points == nullptr || !vcpu.debug_points->any_watchpoint()) [[likely]] {
        return false;
    }
    const std::optional<WatchHit> hit = vcpu.softmmu().take_watch_hit();
    if (!hit) {
        return false;
    }
    vcpu.header().raised = 0;
    vcpu.look_at_interrupts = true;
    stop_for_debugger(vcpu,
                      {.kind = DebugStop::Kind::watchpoint, .point = hit->point, .address = hit->address});
    return true;
}

ExitKind ExecLoop::run_code(Vcpu& vcpu, const Target& target) {
    if (target.alone) {
        // Nothing goes on behind its unit: a jump finds no entry of this number in the jump cache, and then is asked to leave.
        vcpu.header().context_id = ContextIds::kNobody;
        vcpu.header().exit_request.store(1, std::memory_order_seq_cst);
    }
    if (clock_ == nullptr) {
        return backend_.run(vcpu.state(), target.code);
    }
    clock_->enter(vcpu.executor(), target.return_after, target.once.tb);
    const ExitKind kind = backend_.run(vcpu.state(), target.code);
    clock_->leave();
    return kind;
}

// An interrupt came between two units, in the context that the vCPU was in: the one that it left, if that is known, and the one at `pc`.
void ExecLoop::sample(Vcpu& vcpu, uint64_t pc, const UnlinkedJump& left) {
    if ((guest_.steady_modes >> vcpu.fetch_mode & 1) == 0 || !cache_.settings().carry_where_hot) {
        return;
    }
    if (left.source != nullptr && cache_.regions().generation(left.region) == left.generation) {
        met(vcpu, *left.source);
    }
    FetchPage page{};
    if (vcpu.memory.fetch(pc, vcpu.fetch_mode, &page) && !page.device) {
        if (const tcg::TranslationBlock* const tb = block_at_pc(vcpu, pc, page)) {
            met(vcpu, *tb);
        }
    }
    vcpu.header().raised = 0;  // who comes back there meets it again
}

// A unit that is met so often is translated anew.
void ExecLoop::met(Vcpu& vcpu, const tcg::TranslationBlock& tb) {
    if ((tb.state.load(std::memory_order_relaxed) & tcg::kTbUnhashed) != 0) {
        return;  // used once: there is nothing to make anew, and its key is no place in RAM
    }
    const uint64_t start = tb.key.start;
    if (!vcpu.samples.hot(start) || cache_.carrying().contains(start)) {
        return;
    }
    or_fail(vcpu, [&] {
        cache_.carrying().add(start);
        cache_.pages().retranslate(start);
    });
    vcpu.counters.units_carrying.add();
}

bool ExecLoop::take_interrupt(Vcpu& vcpu) {
    const uint64_t pc = vcpu.header().pc;
    if (vcpu.guest.take_interrupt == nullptr || !vcpu.guest.take_interrupt(vcpu.state())) {
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
    const AddressSpaceKey space = vcpu.memory.enter_space(vcpu.fetch_mode);
    bool wrapped = false;
    vcpu.header().context_id = vcpu.contexts.id(vcpu.tb_flags, space, &wrapped);
    vcpu.exec().jump_cache_salt = vcpu.jump_cache.salt(vcpu.header().context_id);
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

// The code for the vCPU's pc. What is rare is interpreted instead; then there is none, and `rare` says so.
Found ExecLoop::next(Vcpu& vcpu, const UnlinkedJump& unlinked, Target* target) {
    if (vcpu.exec_logged) {
        log_entry(vcpu);
    }
    if (vcpu.debugged() && vcpu.debug_points->breakpoint_in_page(vcpu.header().pc)) [[unlikely]] {
        return next_beside_breakpoint(vcpu, target);
    }
    // Another pc: the thread was asked to leave meanwhile, and goes on elsewhere.
    if (std::exchange(vcpu.alone_at, Vcpu::kNowhere) == vcpu.header().pc) {
        return finder_.find_one_insn(vcpu, target);
    }
    if (clock_ != nullptr && clock_->left() < InsnClock::kMargin) {
        return finder_.find_to_fit(vcpu, target);
    }
    return find_or_interpret(vcpu, unlinked, target);
}

// Interpreted instructions change nothing that code depends on, so what they lead to is found from here, until somebody may want
// something of the vCPU.
Found ExecLoop::find_or_interpret(Vcpu& vcpu, UnlinkedJump unlinked, Target* target) {
    StateHeader& header = vcpu.header();
    Found found = finder_.find(vcpu, unlinked, true, target);
    if (found != Found::rare) {
        return found;
    }
    if (!interpreted_.allowed(vcpu)) {
        return finder_.find(vcpu, unlinked, false, target);
    }
    do {
        if (target->visit == Visit::due && !interpreted_.translated_beside(vcpu, target->page)) {
            return finder_.find(vcpu, unlinked, false, target);
        }
        const uint64_t pc = header.pc;
        switch (interpreted_.run(vcpu, target->page)) {
            case Interpreted::went_on:
                unlinked = {};
                break;
            case Interpreted::fault:
                return Found::fault;
            case Interpreted::failed:
                return Found::failed;
            case Interpreted::translate:
                vcpu.visits.set_hot(pc);
                return finder_.find(vcpu, unlinked, false, target);
        }
        if (header.exit_request.load(std::memory_order_relaxed) != 0 || vcpu.short_turn != 0 ||
            vcpu.debugged()) {
            return Found::rare;
        }
        found = finder_.find(vcpu, unlinked, true, target);
    } while (found == Found::rare);
    return found;
}

// After an access that did nothing yet: a fault of the host's in a unit, which is dealt with here, where nothing is held, or a store
// that met something else than the vCPU knew. True: the instruction at the vCPU's pc is to be done again. False: an exception is
// recorded.
bool ExecLoop::again(Vcpu& vcpu) {
    if (vcpu.machine_memory != nullptr && vcpu.softmmu().take_again()) {
        vcpu.forget_memory();
        vcpu.header().raised = 0;  // by a helper that stored
        return true;
    }
    tcg::HostFault& fault = vcpu.exec().fault;
    if (!fault.noted) {
        return false;
    }
    fault.noted = false;
    if (!vcpu.process_memory->after_host_fault(fault.address, fault.access, fault.code)) {
        return false;
    }
    // Else its translation would take from the page what was given back for it.
    const uint64_t into_page =
        vcpu.header().pc - (fault.address & ~(kPageSize - 1)) + guest_.max_insn_size - 1;
    if (fault.access == Access::store && into_page < kPageSize + guest_.max_insn_size - 1) {
        vcpu.alone_at = vcpu.header().pc;
    }
    return true;
}

// Deals with the recorded exception of the instruction at the vCPU's pc. False: it is the emulator's affair.
bool ExecLoop::deliver(Vcpu& vcpu) {
    StateHeader& header = vcpu.header();
    const uint64_t pc = header.pc;
    backend_.collect_fp_flags(vcpu.state());
    header.raised = 0;
    if (clock_ != nullptr) {
        // Before the guest is told, who may ask for a stop: there is nothing left to be counted then.
        clock_->advance(vcpu.executor(), 1);
    }
    vcpu.counters.exceptions.add();  // the guest's counters may be looked at
    const bool delivered = guest_.deliver(vcpu.state());
    vcpu.look_at_interrupts = true;
    if (logged(vcpu, LogItem::int_)) {
        log_line(vcpu, fmt::format("cpu {}: exception at {:#x}, to {:#x}\n", vcpu.index, pc, header.pc));
    }
    return delivered;
}

// Brings pc and instruction clock to the instruction that met the exception.
void ExecLoop::finish_fault(Vcpu& vcpu, const TranslationBlock* single_use) {
    StateHeader& header = vcpu.header();
    const InsnAtHostPc insn = known_insns_.find(vcpu.exec().exit_host_pc, single_use);
    header.pc = header.page_pc + static_cast<uint64_t>(int64_t{insn.pc_offset});
    if (clock_ != nullptr) {
        clock_->advance(vcpu.executor(), insn.index);
    }
}

void ExecLoop::log_entry(const Vcpu& vcpu) const {
    if (vcpu.host.log_in_filter(vcpu.host.opaque, vcpu.header().pc, 1)) {
        log_line(vcpu,
                 fmt::format("cpu {}: exec {:#x} [{:#x}]\n", vcpu.index, vcpu.header().pc, vcpu.tb_flags));
    }
}

}  // namespace weft::accel
