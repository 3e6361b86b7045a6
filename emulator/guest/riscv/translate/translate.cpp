// The loop over a unit's instructions, and how units end.
#include "emulator/guest/riscv/translate/translate.h"

#include <algorithm>

#include "base/assert.h"
#include "emulator/guest/riscv/translate/translator.h"

namespace weft::riscv {

namespace {

using Semantic = void (*)(Translator&, const Insn&);

// By InsnDesc::semantic.
constexpr Semantic kSemantics[kInsn32Count] = {
#define WEFT_RISCV_SEMANTIC(id, mnemonic, bits, format, extension, rules, weight) &semantics::id,
    WEFT_RISCV_INSNS_32(WEFT_RISCV_SEMANTIC)
#undef WEFT_RISCV_SEMANTIC
};

constexpr int32_t kPageEnd = static_cast<int32_t>(kPageSize);
// An instruction here may straddle the page's end. Whether it does is no matter of the unit that jumps to it,
// whose bytes may be others by then.
constexpr int32_t kLastHalfword = kPageEnd - 2;

uint32_t halfword(const uint8_t* bytes) { return uint32_t{bytes[0]} | uint32_t{bytes[1]} << 8; }

}  // namespace

bool Translator::fetch(Insn* insn) const {
    const uint32_t at = offset_ - request_.page_offset;
    if (at + 2 > request_.code_size) {
        return false;
    }
    uint32_t bits = halfword(request_.code + at);
    const uint32_t size = insn_size(static_cast<uint16_t>(bits));
    if (size == 4) {
        if (at + 4 > request_.code_size) {
            return false;
        }
        bits |= halfword(request_.code + at + 2) << 16;
    }
    // An instruction that straddles is a unit of its own: it depends on a second page.
    if (insns_ != 0 && offset_ + size > kPageSize) {
        return false;
    }
    *insn = decode(bits, extensions_);
    return true;
}

void Translator::translate_insn(const Insn& insn) {
    size_ = insn.size;
    fp_written_ = false;
    ++insns_;
    b_.insn_start(offset());
    if (flags_.stopped()) {
        end_with_exit(ir::ExitReason::halt, b_.pc_add(offset()));
        return;
    }
    if (insn.desc == nullptr) {
        illegal(insn);
        return;
    }
    kSemantics[static_cast<unsigned>(insn.desc->semantic)](*this, insn);
    if (fp_written_ && flags_.fp() == FpState::clean && !ended_) {
        end_with_exit();  // the state is dirty from here on: other TB flags
    }
}

TranslateStatus Translator::run() {
    // Holds for the whole unit: frm is a TB flag, and instructions that write it end their unit.
    unit_.fp_rounding = flags_.fp_rounding();
    unit_.fixed_pages = request_.fixed_pages;
    const uint32_t limit =
        request_.one_insn_per_tb ? 1 : std::min(std::max(request_.max_insns, 1u), kMaxUnitInsns);
    Insn insn;
    while (fetch(&insn)) {
        if (offset() == next_join_) {
            join();
        }
        translate_insn(insn);
        offset_ += size_;
        if (!b_.ok()) {
            return TranslateStatus::too_big;
        }
        // A slot is always left for the fall-through; a straddling instruction is past the page here.
        if (ended_ || insns_ >= limit || offset_ >= kPageSize ||
            linked_side_exits_ + unit_.goto_tb_count >= ir::kMaxGotoTb - 1) {
            break;
        }
    }
    if (insns_ == 0) {
        return TranslateStatus::need_more;
    }
    if (!ended_) {
        transfer(offset(), offset() - static_cast<int32_t>(size_), insns_);
    }
    emit_side_exits();
    unit_.insn_count = insns_;
    unit_.guest_size = offset_ - request_.page_offset;
    return b_.ok() ? TranslateStatus::ok : TranslateStatus::too_big;
}

bool Translator::may_link(int32_t target) const {
    if (request_.one_insn_per_tb || (target & (kPageEnd - 1)) >= kLastHalfword) {
        return false;
    }
    return request_.fixed_pages || (!straddles() && target >= 0 && target < kPageEnd);
}

// Directly before the exit_check of a call whose link register is written. Side exits will need slots.
void Translator::say_call(JumpHint hint) {
    if (hint.is_call() && request_.return_points && may_link(next_offset()) &&
        linked_side_exits_ + 2 <= ir::kMaxGotoTb) {
        const bool had_slot = b_.return_point(x(hint.link), next_offset());
        WEFT_ASSERT(had_slot);
    }
}

void Translator::transfer(int32_t target, int32_t source, uint32_t insns, JumpHint hint) {
    if (may_link(target)) {
        say_call(hint);
        b_.exit_check(insns, target <= source);
        const bool had_slot = b_.goto_tb(target);
        WEFT_ASSERT(had_slot);
        return;
    }
    const ir::I64 pc = b_.pc_add(target);  // nothing stands between the check and the transfer
    say_call(hint);
    b_.exit_check(insns, true);
    b_.lookup_and_goto_ptr(pc);
}

bool Translator::knows_target(const Insn& insn, int32_t* target) const {
    // The sum of two offsets within 32 bits: one that wraps around would lead elsewhere.
    const int64_t offset = int64_t{known_.offset} + insn.imm;
    *target = static_cast<int32_t>(offset) & ~1;
    return insn.rs1 != 0 && insn.rs1 == known_.number && offset == static_cast<int32_t>(offset);
}

void Translator::end_with_jump(int32_t target, JumpHint hint) {
    if (joins_next() && !hint.is_call() && may_stay(target)) {
        b_.br(new_side_exit(target));
        return;
    }
    transfer(target, offset(), insns_, hint);
    ended_ = true;
}

void Translator::end_with_jump(ir::I64 pc, JumpHint hint) {
    say_call(hint);
    b_.exit_check(insns_, true);
    b_.lookup_and_goto_ptr(pc, hint.returns && request_.return_points);
    ended_ = true;
}

void Translator::end_with_exit(ir::ExitReason reason) { end_with_exit(reason, b_.pc_add(next_offset())); }

void Translator::end_with_exit(ir::ExitReason reason, ir::I64 pc) {
    if (fp_written_ && flags_.fp() == FpState::clean) {
        finish_fp_write();
    }
    b_.exit_check(insns_, false);
    b_.exit_tb(reason, pc);
    ended_ = true;
}

void Translator::exit_here() {
    const ir::I64 pc = b_.pc_add(next_offset());
    b_.exit_check(insns_, false);
    b_.exit_tb(ir::ExitReason::lookup, pc);
}

void Translator::exit_if(ir::Cond cond, ir::I64 a, ir::I64 b) {
    const ir::Label label = b_.new_label();
    b_.brcond(cond, a, b, label);
    side_exits_[side_exit_count_++] = SideExit{label.index, next_offset(), offset(), insns_, true};
}

void Translator::raise_here(Exception cause, ir::I64 tval) {
    b_.call(kHelperRaise, b_.imm32(static_cast<uint32_t>(cause)), tval);
    // Never reached; a unit's end is an op all the same.
    b_.exit_tb(ir::ExitReason::lookup, b_.pc_add(offset()));
}

bool Translator::raise_if(ir::Cond cond, ir::I64 a, ir::I64 b, Exception cause, ir::I64 tval) {
    const ir::Label others = b_.new_label();
    b_.brcond(ir::invert(cond), a, b, others);
    raise_here(cause, tval);
    b_.set_label(others);
    return false;
}

void Translator::raise(Exception cause, ir::I64 tval) {
    raise_here(cause, tval);
    ended_ = true;
}

void Translator::branch(ir::Cond cond, ir::I64 a, ir::I64 b, int32_t target) {
    b_.brcond(cond, a, b, new_side_exit(target));
}

bool Translator::may_stay(int32_t target) const {
    return request_.inner_branches && target > offset() && target < kPageEnd;
}

ir::Label Translator::new_side_exit(int32_t target) {
    const ir::Label label = b_.new_label();
    side_exits_[side_exit_count_++] = SideExit{label.index, target, offset(), insns_, false};
    linked_side_exits_ += may_link(target) ? 1 : 0;
    if (may_stay(target)) {
        next_join_ = std::min(next_join_, target);
    }
    return label;
}

void Translator::join() {
    const int32_t here = offset();
    known_ = {};
    next_join_ = kNoJoin;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < side_exit_count_; ++i) {
        const SideExit& exit = side_exits_[i];
        if (!exit.by_loop && exit.target == here) {
            b_.set_label({exit.label});
            linked_side_exits_ -= links(exit) ? 1 : 0;
            continue;
        }
        if (!exit.by_loop && exit.target > here && exit.target < kPageEnd) {
            next_join_ = std::min(next_join_, exit.target);
        }
        side_exits_[kept++] = exit;
    }
    side_exit_count_ = kept;
}

void Translator::emit_side_exits() {
    for (uint32_t i = 0; i < side_exit_count_; ++i) {
        const SideExit& exit = side_exits_[i];
        b_.set_label({exit.label});
        if (exit.by_loop) {
            const ir::I64 pc = b_.pc_add(exit.target);
            b_.exit_check(exit.insns, false);
            b_.exit_tb(ir::ExitReason::lookup, pc);
        } else {
            transfer(exit.target, exit.source, exit.insns);
        }
    }
}

TranslateStatus translate(const TranslateRequest* request, ir::Unit* unit) {
    return Translator(*request, *unit).run();
}

}  // namespace weft::riscv
