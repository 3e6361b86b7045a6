// Guest memory: the inline TLB probe, plain accesses, atomics. What direct memory has instead of a probe is in lower_direct.cpp.

#include <bit>
#include <cstddef>

#include "tcg/x86_64/unit_compiler.h"
#include "weft/ir_info.h"

namespace weft::tcg::x86_64 {

using ir::MemOp;
using ir::Opcode;
using ir::Type;

namespace {

// Of a place in CarriedPages, from its page to its addend.
constexpr int32_t kCarriedAddend = offsetof(CarriedPages, addends) - offsetof(CarriedPages, pages);

constexpr size_t carried_table(unsigned mmu_mode) {
    return offsetof(ExecState, carried) + mmu_mode * sizeof(CarriedTable);
}

constexpr Width width_of_size(unsigned size_log2) { return static_cast<Width>(size_log2); }

// Atomics that C++ sees as one operation on the old value and an operand; the host has them as a compare-and-swap loop.
constexpr Alu alu_of(Opcode code) {
    switch (code) {
        case Opcode::atomic_and:
            return Alu::and_;
        case Opcode::atomic_or:
            return Alu::or_;
        default:
            return Alu::xor_;
    }
}

// Under which condition after "cmp old, operand" the old value stays.
constexpr Cond keep_old(Opcode code) {
    switch (code) {
        case Opcode::atomic_smin:
            return Cond::l;
        case Opcode::atomic_smax:
            return Cond::g;
        case Opcode::atomic_umin:
            return Cond::b;
        default:
            return Cond::a;
    }
}

}  // namespace

bool UnitCompiler::lower_memory(const ir::Op& op) {
    switch (op.code) {
        case Opcode::guest_ld:
            guest_load(op);
            break;
        case Opcode::guest_st:
            guest_store(op);
            break;
        case Opcode::atomic_xchg:
        case Opcode::atomic_cmpxchg:
        case Opcode::atomic_add:
        case Opcode::atomic_and:
        case Opcode::atomic_or:
        case Opcode::atomic_xor:
        case Opcode::atomic_smin:
        case Opcode::atomic_smax:
        case Opcode::atomic_umin:
        case Opcode::atomic_umax:
            atomic(op);
            break;
        default:
            return false;
    }
    return true;
}

UnitCompiler::Probed UnitCompiler::probe(Gpr base, Window window, unsigned mmu_mode, bool is_store,
                                         Label& miss) {
    const Gpr entry = scratch();
    const Gpr page = scratch();
    probe_into({entry, page}, base, window, mmu_mode, is_store, miss);
    return {entry, page};
}

void UnitCompiler::probe_into(Probed regs, Gpr base, Window window, unsigned mmu_mode, bool is_store,
                              Label& miss) {
    const auto [entry, page] = regs;
    const auto table = static_cast<int32_t>(offsetof(ExecState, tlb) + mmu_mode * sizeof(TlbTable));
    const auto at = [this, base](Width width, Gpr to, int32_t displacement) {
        displacement == 0 ? as_->mov(width, to, base) : as_->lea(width, to, Mem(base, displacement));
    };
    // The entry's byte offset: the page number, scaled, within the mask. The lower half of the address has all of it.
    constexpr unsigned kIndexShift = kPageBits - kTlbEntryShift;
    static_assert(kMaxTlbEntries << kPageBits <= uint64_t{1} << 32);
    at(Width::d32, entry, window.low);
    as_->shr(Width::d32, entry, kIndexShift);
    as_->and_(Width::d32, entry, at_state(exec_offset(table + offsetof(TlbTable, mask))));
    as_->add(Width::q64, entry, at_state(exec_offset(table + offsetof(TlbTable, entries))));
    // What must equal the tag: the page of the window's last byte.
    at(Width::q64, page, window.high - 1);
    as_->shr(Width::q64, page, kPageBits);
    const auto tag = static_cast<int32_t>(is_store ? offsetof(TlbEntry, write) : offsetof(TlbEntry, read));
    as_->cmp(Width::q64, page, Mem(entry, tag));
    as_->jcc(Cond::ne, miss);
    as_->mov(Width::q64, entry, Mem(entry, offsetof(TlbEntry, addend)));
}

bool UnitCompiler::is_carried(MemOp memop) const {
    const auto page_offset = static_cast<uint32_t>(insn_.pc_offset);
    return (target_.carrying_modes >> memop.mmu_mode() & 1) != 0 && in_insn_ && !memop.aligned() &&
           !memop.reserve() && (unit_->uncarried >> ir::uncarried_bit(page_offset) & 1) == 0;
}

Gpr UnitCompiler::compare_carried(Gpr base, const AccessRecord& record) {
    const unsigned place = carried_place(static_cast<uint32_t>(insn_.pc_offset));
    const size_t pages = carried_table(record.mmu_mode) +
                         (record.kind == AccessRecord::store ? offsetof(CarriedTable, stores)
                                                             : offsetof(CarriedTable, loads)) +
                         offsetof(CarriedPages, pages);
    const int32_t page = exec_offset(pages + place * sizeof(uint64_t));
    const Gpr addend = scratch();
    const Gpr spare = scratch();
    slow_ = &stub(Stub::Kind::carried);
    record.displacement == 0 ? as_->mov(Width::q64, addend, base)
                             : as_->lea(Width::q64, addend, Mem(base, record.displacement));
    // What is not aligned does not compare equal either: it might reach over the page's end.
    const int64_t misaligned = (int64_t{1} << record.size_log2) - 1;
    as_->and_(Width::q64, addend, -static_cast<int64_t>(kPageSize) | misaligned);
    as_->cmp(Width::q64, addend, at_state(page));
    as_->jcc(Cond::ne, slow_->entry);
    const uint32_t found = as_->offset();
    as_->mov(Width::q64, addend, at_state(page + kCarriedAddend));
    slow_->carried = {record, found, host(addend), host(spare), page};
    return addend;
}

void UnitCompiler::write_carried(Stub::Carried& carried) {
    const AccessRecord& record = carried.access;
    const Gpr addend = gpr(carried.addend);
    const Gpr page = gpr(carried.spare);
    const int32_t low = record.displacement;
    Label miss;
    as_->sub(Width::d32, at_state(exec_offset(offsetof(ExecState, carried_misses))), 1);
    as_->jcc(Cond::s, miss);
    probe_into({addend, page}, gpr(record.base), {low, low + (int32_t{1} << record.size_log2)},
               record.mmu_mode, record.kind == AccessRecord::store, miss);
    as_->mov(Width::q64, at_state(carried.page + kCarriedAddend), addend);
    const size_t table = carried_table(record.mmu_mode);
    as_->movzx(Width::b8, addend, page);
    as_->mov(Width::b8, Mem(kState, addend, 1, exec_offset(table + offsetof(CarriedTable, noted))), 1);
    as_->mov(Width::b8, at_state(exec_offset(table + offsetof(CarriedTable, any))), 1);
    as_->shl(Width::q64, page, kPageBits);
    as_->mov(Width::q64, at_state(carried.page), page);
    as_->jmp_rel32(carried.found);
    as_->bind(miss);
}

Gpr UnitCompiler::probe_alone(Gpr base, MemOp memop, bool is_store, Label& miss) {
    const int32_t low = memop.displacement();
    const auto size = static_cast<int32_t>(memop.size());
    const auto [addend, spare] = probe(base, {low, low + size}, memop.mmu_mode(), is_store, miss);
    if (memop.aligned() && size > 1) {
        if (low != 0) {
            as_->lea(Width::d32, spare, Mem(base, low));
        }
        as_->test(Width::b8, low != 0 ? spare : base, size - 1);
        as_->jcc(Cond::ne, miss);
    }
    return addend;
}

HostReg UnitCompiler::kept_addend() {
    const uint16_t group = groups_.of(op_index_);
    for (RegMask rest = group == AccessGroups::kNone ? 0 : kLocalGprs; rest != 0; rest &= rest - 1) {
        const auto reg = static_cast<HostReg>(std::countr_zero(rest));
        if (values_.kept(reg) && kept_for_[reg] == group) {
            values_.lock(reg);
            return reg;
        }
    }
    return kNoReg;
}

Gpr UnitCompiler::begin_access(Gpr base, HostReg value, MemOp memop, bool is_store, HostReg kept) {
    const uint16_t number = groups_.of(op_index_);
    const AccessRecord record(host(base), value, memop, is_store);
    // Where the addend was lost, another of the group leads the rest: but no load those that a store led.
    if (number != AccessGroups::kNone && kept == kNoReg && groups_.group(number).last != op_index_ &&
        groups_.group(number).store == is_store) {
        const AccessGroup& group = groups_.group(number);
        slow_ = &stub(Stub::Kind::leader);
        const Gpr addend =
            probe(base, {group.low, group.high}, group.mmu_mode, is_store, slow_->entry).addend;
        slow_->leader = {record, static_cast<int16_t>(group.low),
                         static_cast<uint16_t>(group.high - group.low), host(addend)};
        values_.keep(host(addend));
        kept_for_[host(addend)] = number;
        return addend;
    }
    if (kept == kNoReg && is_carried(memop)) {
        return compare_carried(base, record);
    }
    slow_ = &stub(Stub::Kind::access);
    slow_->access = record;
    if (kept != kNoReg) {
        as_->test(Width::q64, gpr(kept), gpr(kept));
        as_->jcc(Cond::e, slow_->entry);
        if (groups_.group(number).last == op_index_) {
            values_.let_go(kept);
        }
        return gpr(kept);
    }
    // What may be stored to without reserve has atomics; of what may only be loaded the slow path has to see whether it has.
    return probe_alone(base, memop, is_store || memop.reserve(), slow_->entry);
}

Mem UnitCompiler::begin_atomic(Gpr address, MemOp memop) {
    slow_ = &stub(Stub::Kind::atomic);
    return Mem(probe_alone(address, memop, true, slow_->entry), address, 1);
}

void UnitCompiler::end_access() {
    if (slow_ != nullptr) {
        slow_->resume = as_->offset();
    }
}

void UnitCompiler::guest_load(const ir::Op& op) {
    const MemOp memop(op.aux);
    values_.sync_globals();
    if (memop.release() && target_.fences) {
        // Earlier stores must be seen before this load is done (LR with rl): SDM volume 3, 9.2.3.4.
        as_->lock_alu(Alu::or_, Width::d32, Mem(Gpr::rsp, -4), 0);
    }
    const HostReg kept = kept_addend();
    const Gpr base = use(op.args[1]);
    // All registers are claimed before the probe: what claiming one may store must be stored on the slow path as well.
    values_.release_dead(op_index_);
    const HostReg target = values_.def(op.args[0]);
    values_.lock(host(base));
    const Mem place =
        is_direct() ? begin_direct(base, target, memop, false)
                    : Mem(begin_access(base, target, memop, false, kept), base, 1, memop.displacement());
    if (is_xmm(target)) {
        as_->sse(op.type == Type::f64 ? SimdMove::movsd : SimdMove::movss, xmm(target), place);
    } else {
        const Width size = width_of_size(memop.size_log2());
        const Width width = width_of(op.type);
        if (memop.sign() && size < width) {
            as_->movsx(width, size, gpr(target), place);
        } else if (size < Width::d32) {
            as_->movzx(size, gpr(target), place);
        } else {
            as_->mov(size, gpr(target), place);
        }
    }
    end_access();
    values_.end_op(op_index_);
}

void UnitCompiler::guest_store(const ir::Op& op) {
    const MemOp memop(op.aux);
    values_.sync_globals();
    const Width size = width_of_size(memop.size_log2());
    const HostReg kept = kept_addend();
    const bool zero = values_.is_constant(op.args[0]) && values_.temp(op.args[0]).value == 0;
    const HostReg value = zero ? kZeroValue : values_.use(op.args[0]);
    const Gpr base = use(op.args[1]);
    const Mem place = is_direct()
                          ? begin_direct(base, value, memop, true)
                          : Mem(begin_access(base, value, memop, true, kept), base, 1, memop.displacement());
    if (zero) {
        as_->mov(size, place, 0);
    } else if (is_xmm(value)) {
        as_->sse(op.type == Type::f64 ? SimdMove::movsd : SimdMove::movss, place, xmm(value));
    } else {
        as_->mov(size, place, gpr(value));
    }
    end_access();
    values_.release_dead(op_index_);
    values_.end_op(op_index_);
}

// Locked instructions order everything before and after, so acquire and release need nothing more.
void UnitCompiler::atomic(const ir::Op& op) {
    const MemOp memop(op.aux);
    // The memory operand's; registers are worked on in 32 bits at least.
    const Width width = width_of_size(memop.size_log2());
    const Width work = width < Width::d32 ? Width::d32 : width;
    values_.sync_globals();
    const bool compares = op.code == Opcode::atomic_cmpxchg;
    const bool loops = !compares && op.code != Opcode::atomic_xchg && op.code != Opcode::atomic_add;
    // rax is the comparand of cmpxchg.
    RegMask allowed = values_.class_of(op.type);
    if (compares || loops) {
        allowed &= ~mask(Gpr::rax);
    }
    const HostReg address = values_.use(op.args[1], allowed);
    const HostReg b = values_.use(op.args[compares ? 3 : 2], allowed);
    if (compares) {
        values_.copy_to(op.args[2], host(Gpr::rax));
    } else if (loops) {
        values_.evict(mask(Gpr::rax));
        values_.lock(host(Gpr::rax));
    }
    const HostReg a = compares ? host(Gpr::rax) : b;
    const Gpr result = compares || loops ? Gpr::rax : scratch();
    const Gpr next = loops ? scratch() : result;
    const Mem place =
        is_direct() ? begin_direct_atomic(gpr(address), memop) : begin_atomic(gpr(address), memop);
    if (compares) {
        as_->lock_cmpxchg(width, place, gpr(b));
    } else if (!loops) {
        if (op.code == Opcode::atomic_add && !target_.atomic_additions) {
            as_->mov(width, result, place);
            as_->alu(Alu::add, width, place, gpr(b));
        } else {
            as_->mov(work, result, gpr(b));
            if (op.code == Opcode::atomic_xchg) {
                as_->xchg(width, place, result);
            } else {
                as_->lock_xadd(width, place, result);
            }
        }
    } else {
        as_->mov(width, Gpr::rax, place);
        Label again;
        as_->bind(again);
        if (op.code == Opcode::atomic_and || op.code == Opcode::atomic_or || op.code == Opcode::atomic_xor) {
            as_->mov(work, next, Gpr::rax);
            as_->alu(alu_of(op.code), work, next, gpr(b));
        } else {
            as_->mov(work, next, gpr(b));
            as_->cmp(width, Gpr::rax, gpr(b));
            as_->cmov(keep_old(op.code), work, next, Gpr::rax);
        }
        as_->lock_cmpxchg(width, place, next);
        as_->jcc(Cond::ne, again);
    }
    if (width < width_of(op.type) || width < Width::d32) {
        if (memop.sign()) {
            as_->movsx(width_of(op.type), width, result, result);
        } else {
            as_->movzx(width, result, result);
        }
    }
    if (slow_ != nullptr) {
        slow_->atomic = AtomicRecord{
            address, host(result), a, b, static_cast<uint16_t>(op.aux), static_cast<uint8_t>(op.code), 0, 0};
    }
    end_access();
    finish_in(op, result);
}

}  // namespace weft::tcg::x86_64
