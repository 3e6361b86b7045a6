// Control ops: branches inside a unit, ways out of it, helper calls.

#include <algorithm>
#include <cstddef>

#include "base/assert.h"
#include "tcg/x86_64/jump_cache_probe.h"
#include "tcg/x86_64/return_stack.h"
#include "tcg/x86_64/unit_compiler.h"
#include "weft/ir_info.h"

namespace weft::tcg::x86_64 {

using ir::Opcode;
using ir::TempIndex;
using ir::Type;

namespace {

constexpr int32_t header_offset(size_t offset) {
    return static_cast<int32_t>(offset) - static_cast<int32_t>(sizeof(StateHeader));
}
constexpr int32_t kPagePc = header_offset(offsetof(StateHeader, page_pc));
constexpr int32_t kPageOffsetMask = static_cast<int32_t>(kPageSize) - 1;
constexpr int32_t kExitRequest = header_offset(offsetof(StateHeader, exit_request));
constexpr int32_t kReturnStackEnd = exec_offset(offsetof(ExecState, return_stack_end));
constexpr int32_t kInsnBudget = exec_offset(offsetof(ExecState, insn_budget));

// StoreLoad alone needs an instruction on x86-64 (SDM volume 3, 9.2); a locked operation on the stack is the cheapest.
void full_barrier(Assembler& as) { as.lock_alu(Alu::or_, Width::d32, Mem(Gpr::rsp, -4), 0); }

// Whether this goto_tb leads to the page that its unit begins in.
bool in_unit_page(const ir::Op& op) { return op.aux < kPageSize; }

constexpr Cond host_cond(ir::Cond cond) {
    switch (cond) {
        case ir::Cond::eq:
        case ir::Cond::tsteq:
            return Cond::e;
        case ir::Cond::ne:
        case ir::Cond::tstne:
            return Cond::ne;
        case ir::Cond::lt:
            return Cond::l;
        case ir::Cond::ge:
            return Cond::ge;
        case ir::Cond::le:
            return Cond::le;
        case ir::Cond::gt:
            return Cond::g;
        case ir::Cond::ltu:
            return Cond::b;
        case ir::Cond::geu:
            return Cond::ae;
        case ir::Cond::leu:
            return Cond::be;
        case ir::Cond::gtu:
            return Cond::a;
    }
    return Cond::e;
}

}  // namespace

bool UnitCompiler::lower_control(const ir::Op& op) {
    switch (op.code) {
        case Opcode::discard:
            break;
        case Opcode::set_label:
            if (side_exits_[op.aux] != kNoSideExit) {
                op_index_ = side_exits_[op.aux];  // its brcond has done it
                break;
            }
            values_.sync_globals();
            values_.sync_unit_temps();
            values_.begin_block();
            as_->bind(labels_[op.aux]);
            break;
        case Opcode::br:
            values_.sync_globals();
            values_.sync_unit_temps();
            values_.begin_block();
            as_->jmp(labels_[op.aux]);
            break;
        case Opcode::brcond:
            brcond(op);
            break;
        case Opcode::exit_check:
            check_ = &op;
            break;
        case Opcode::return_point:
            return_point(op);
            break;
        case Opcode::goto_tb:
            goto_tb(op);
            break;
        case Opcode::lookup_and_goto_ptr:
            lookup_and_goto_ptr(op);
            break;
        case Opcode::exit_tb:
            exit_tb(op);
            break;
        case Opcode::mb:
            if ((op.aux & ir::kBarrierStoreLoad) != 0 && target_.fences) {
                full_barrier(*as_);
            }
            break;
        case Opcode::call:
            call(op);
            break;
        default:
            return false;
    }
    return true;
}

void UnitCompiler::insn_start(const ir::Op& op) {
    end_insn();
    insn_ = InsnRow{0, static_cast<int32_t>(op.aux)};
    in_insn_ = true;
}

Cond UnitCompiler::compare(ir::Cond cond, Type type, TempIndex a, TempIndex b) {
    const Width width = width_of(type);
    const bool tests = cond == ir::Cond::tsteq || cond == ir::Cond::tstne;
    int64_t value = 0;
    if (!tests && values_.is_constant(a) && !values_.is_constant(b)) {
        std::swap(a, b);
        cond = ir::swap_operands(cond);
    }
    const bool by_immediate = immediate(b, type, &value);
    if (in_home(a) && (by_immediate || !in_home(b))) {
        const Mem left = home(a);
        if (by_immediate) {
            tests ? as_->test(width, left, value) : as_->cmp(width, left, value);
        } else {
            const Gpr right = use(b);
            tests ? as_->test(width, left, right) : as_->cmp(width, left, right);
        }
        return host_cond(cond);
    }
    const Gpr left = use(a);
    if (by_immediate) {
        if (tests) {
            as_->test(width, left, value);
        } else {
            as_->cmp(width, left, value);
        }
    } else if (in_home(b)) {
        tests ? as_->test(width, home(b), left) : as_->cmp(width, left, home(b));
    } else if (tests) {
        as_->test(width, left, use(b));
    } else {
        as_->cmp(width, left, use(b));
    }
    return host_cond(cond);
}

void UnitCompiler::brcond(const ir::Op& op) {
    // Stores and moves keep the flags, but the comparison may need registers: values go to memory first.
    values_.sync_globals();
    values_.sync_unit_temps();
    const Cond cond = compare(static_cast<ir::Cond>(op.cond), op.type, op.args[0], op.args[1]);
    const uint16_t label = op.args[ir::kBrcondLabelArg];
    if (side_exits_[label] != kNoSideExit && loop_.any()) {
        branch_back(side_exits_[label], cond);
    } else if (side_exits_[label] != kNoSideExit) {
        const ir::Op& transfer = unit_->ops[side_exits_[label]];
        linkable(transfer).jump.site = patchable_jcc(cond);
    } else {
        as_->jcc(cond, labels_[label]);
    }
    values_.end_op(op_index_);
}

// The transfer behind the label at op `index`, if a branch may be that itself; else kNoSideExit.
uint32_t UnitCompiler::side_exit(uint32_t index) const {
    const uint32_t transfer = index + 2;
    if (index == 0 || transfer >= unit_->op_count) {
        return kNoSideExit;
    }
    const ir::Op* const label = &unit_->ops[index];
    if (label[1].code != Opcode::exit_check || label[2].code != Opcode::goto_tb ||
        !ir::has_flag(label[-1].code, ir::flag_block_end)) {
        return kNoSideExit;
    }
    // A loop stores its registers where it is left: there the branch alone is not enough.
    const bool direct =
        loop_.any() ? loop_.leads_back(label[2]) : (label[1].cond & 1) == 0 && in_unit_page(label[2]);
    return direct ? transfer : kNoSideExit;
}

void UnitCompiler::find_side_exits() {
    side_exits_.assign(unit_->label_count, kNoSideExit);
    if (!target_.direct_side_exits || target_.count_insns) {
        return;
    }
    branches_.assign(unit_->label_count, 0);
    for (uint32_t i = 0; i < unit_->op_count; ++i) {
        const ir::Op& op = unit_->ops[i];
        if (op.code == Opcode::set_label) {
            side_exits_[op.aux] = side_exit(i);
        } else if (op.code == Opcode::brcond) {
            ++branches_[op.args[ir::kBrcondLabelArg]];
        } else if (op.code == Opcode::br) {
            branches_[op.aux] += 2;
        }
    }
    // Two jumps cannot be linked by one patch.
    for (uint32_t label = 0; label < unit_->label_count; ++label) {
        if (branches_[label] != 1) {
            side_exits_[label] = kNoSideExit;
        }
    }
}

// jcc rel32 whose displacement lies aligned, for Backend::link.
uint32_t UnitCompiler::patchable_jcc(Cond cond) {
    constexpr uint32_t kOpcodeBytes = 2;
    const uint32_t misaligned = (as_->offset() + kOpcodeBytes) & 3;
    if (misaligned != 0) {
        as_->nop(4 - misaligned);
    }
    return as_->jcc_rel32(cond, 0);
}

template <class Jump>
void UnitCompiler::count_insns(Jump&& jump_if) {
    if (check_ != nullptr && target_.count_insns) {
        as_->sub(Width::q64, at_state(kInsnBudget), static_cast<int64_t>(check_->aux));
        jump_if(Cond::s);
    }
}

template <class Jump>
void UnitCompiler::exit_check(Jump&& jump_if) {
    if (check_ == nullptr) {
        return;
    }
    count_insns(jump_if);
    if ((check_->cond & 1) != 0) {
        as_->cmp(Width::d32, at_state(kExitRequest), 0);
        jump_if(Cond::ne);
    }
    check_ = nullptr;
}

UnitCompiler::Stub& UnitCompiler::linkable(const ir::Op& op) {
    Stub& exit = stub(Stub::Kind::goto_tb);
    exit.jump.slot = static_cast<uint8_t>(ir::goto_tb_slot(op));
    exit.jump.pc_offset = ir::goto_tb_offset(op);
    exit.jump.back = loop_.leads_back(op);
    return exit;
}

void UnitCompiler::return_point(const ir::Op& op) {
    const Gpr pc = use(op.args[0]);
    Stub& full = stub(Stub::Kind::return_stack_full);
    as_->cmp(Width::q64, Gpr::rsp, at_state(kReturnStackEnd));
    as_->jcc(Cond::be, full.entry);
    full.resume = as_->offset();
    as_->push(pc);
    values_.end_op(op_index_);
    return_point_ = &op;
}

void UnitCompiler::returned() {
    if (return_point_ == nullptr) {
        return;
    }
    as_->pop(Gpr::rcx);
    as_->and_(Width::q64, Gpr::rcx, -static_cast<int64_t>(kPageSize));
    as_->mov(Width::q64, at_state(kPagePc), Gpr::rcx);
    linkable(*return_point_).jump.site = as_->jmp_patchable(0);
    return_point_ = nullptr;
}

void UnitCompiler::goto_tb(const ir::Op& op) {
    values_.sync_globals();
    values_.begin_block();
    if (!loop_.leads_back(op)) {
        leave_loop();
    }
    Stub& exit = linkable(op);
    if (!in_unit_page(op)) {
        // Before the check: the stub goes by the page that it leads to.
        as_->add(Width::q64, at_state(kPagePc), exit.jump.pc_offset & ~kPageOffsetMask);
    }
    exit_check([&](Cond cond) { as_->jcc(cond, exit.entry); });
    exit.jump.site = return_point_ != nullptr ? as_->call_patchable(0) : as_->jmp_patchable(0);
    returned();
}

// The host predicts where an indirect jump leads by the jumps before it, and hardly by returns. So a guest's jump is one of
// the host's at a place of its own, and a guest's call an indirect call: by a jump behind a call of one probe for all, what was called
// last would be known by the return alone.
void UnitCompiler::probe() {
    const int32_t buffer_start = -static_cast<int32_t>(unit_offset_);
    const int64_t lookup = runtime(target_.runtime.lookup);
    if (return_point_ == nullptr) {
        emit_jump_cache_probe(*as_, lookup, buffer_start, target_.profile);
        return;
    }
    Stub& missed = stub(Stub::Kind::call_missed);
    emit_jump_cache_find(*as_, missed.entry, buffer_start, target_.profile);
    missed.resume = as_->offset();
    as_->call(Gpr::rax);
}

void UnitCompiler::lookup_and_goto_ptr(const ir::Op& op) {
    values_.copy_to(op.args[0], host(Gpr::rcx));
    values_.sync_globals();
    values_.end_op(op_index_);
    values_.begin_block();
    leave_loop();
    const RuntimeCode& code = target_.runtime;
    const auto leave = [&](Cond cond) { as_->jcc_rel32(cond, runtime(code.exit_indirect)); };
    if ((op.cond & 1) != 0) {
        WEFT_ASSERT(return_point_ == nullptr);
        exit_check(leave);
        as_->cmp(Width::q64, Gpr::rcx, Mem(Gpr::rsp, kReturnPcOffset));
        as_->jcc_rel32(Cond::ne, runtime(code.return_missed));
        as_->ret();
        return;
    }
    const bool direct = page_pc_add_ != nullptr && op.args[0] == page_pc_add_->args[0];
    if (direct || !target_.own_probes) {
        // The shared probe tests the exit request itself.
        count_insns(leave);
        check_ = nullptr;
        if (return_point_ != nullptr) {
            as_->call_rel32(runtime(code.probe));
        } else {
            as_->jmp_rel32(runtime(code.probe));
        }
    } else {
        exit_check(leave);
        probe();
    }
    returned();
}

void UnitCompiler::exit_tb(const ir::Op& op) {
    values_.copy_to(op.args[0], host(Gpr::rcx));
    values_.sync_globals();
    values_.end_op(op_index_);
    values_.begin_block();
    leave_loop();
    if (check_ != nullptr && target_.count_insns) {
        // It leaves anyway: the instructions are only to be counted.
        as_->sub(Width::q64, at_state(kInsnBudget), static_cast<int64_t>(check_->aux));
    }
    check_ = nullptr;
    const RuntimeCode& code = target_.runtime;
    switch (static_cast<ir::ExitReason>(op.aux)) {
        case ir::ExitReason::lookup:
            as_->jmp_rel32(runtime(code.exit_lookup));
            break;
        case ir::ExitReason::halt:
            as_->jmp_rel32(runtime(code.exit_halt));
            break;
        case ir::ExitReason::yield:
            as_->jmp_rel32(runtime(code.exit_yield));
            break;
    }
}

// Moves arguments to their places. Registers first, as one parallel move; then what memory and constants provide.
void UnitCompiler::place_arguments(std::span<const uint16_t> args, std::span<const Gpr> places) {
    struct Move {
        Gpr to, from;
    };
    Move moves[kMaxHelperArgs];
    unsigned count = 0;
    for (size_t i = 0; i < args.size(); ++i) {
        const HostReg from = values_.where(args[i]);
        if (from != kNoReg && gpr(from) != places[i]) {
            moves[count++] = Move{places[i], gpr(from)};
        }
    }
    while (count != 0) {
        // A move is free to go when no other one still reads its destination.
        unsigned pick = count;
        for (unsigned i = 0; i < count && pick == count; ++i) {
            const bool blocked = std::any_of(moves, moves + count, [&](const Move& other) {
                return &other != &moves[i] && other.from == moves[i].to;
            });
            pick = blocked ? count : i;
        }
        if (pick != count) {
            as_->mov(Width::q64, moves[pick].to, moves[pick].from);
            moves[pick] = moves[--count];
            continue;
        }
        // Only cycles are left: an exchange settles one move, and changes where the others find their value.
        const Move first = moves[0];
        as_->xchg(Width::q64, first.to, first.from);
        moves[0] = moves[--count];
        for (unsigned i = 0; i < count; ++i) {
            if (moves[i].from == first.to) {
                moves[i].from = first.from;
            } else if (moves[i].from == first.from) {
                moves[i].from = first.to;
            }
        }
        // What an exchange completed needs no move any more.
        count = static_cast<unsigned>(
            std::remove_if(moves, moves + count, [](const Move& move) { return move.to == move.from; }) -
            moves);
    }
    for (size_t i = 0; i < args.size(); ++i) {
        Place place{};
        if (values_.where(args[i]) != kNoReg) {
            continue;
        }
        if (values_.is_constant(args[i])) {
            constant(values_.temp(args[i]).type, host(places[i]), values_.temp(args[i]).value);
        } else {
            const bool in_memory = values_.in_memory_only(args[i], &place);
            WEFT_ASSERT(in_memory);
            load(values_.temp(args[i]).type, host(places[i]), place);
        }
    }
}

void UnitCompiler::call(const ir::Op& op) {
    const HelperDesc& helper = target_.helpers[op.aux];
    const unsigned outputs = helper.signature.result == Type::none ? 0 : 1;
    values_.save_for_call(op_index_);
    store_loop_registers();
    place_arguments(std::span(op.args + outputs, op.args + op.arg_count),
                    helper.signature.takes_state ? kArgsAfterState : kArgsWithoutState);
    as_->call_rel32(runtime(target_.runtime.helpers[op.aux]));
    values_.release_dead(op_index_);
    values_.forget_registers();
    load_loop_registers();
    if (outputs != 0) {
        const HostReg result = values_.def(op.args[0], host(Gpr::rax));
        if (gpr(result) != Gpr::rax) {
            as_->mov(width_of(helper.signature.result), gpr(result), Gpr::rax);
        }
    }
    values_.end_op(op_index_);
}

}  // namespace weft::tcg::x86_64
