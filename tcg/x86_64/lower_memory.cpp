// Guest memory: the inline TLB probe, plain accesses, atomics.

#include <cstddef>

#include "tcg/x86_64/unit_compiler.h"
#include "weft/ir_info.h"

namespace weft::tcg::x86_64 {

using ir::MemOp;
using ir::Opcode;
using ir::Type;

namespace {

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
        case Opcode::qemu_ld:
            guest_load(op);
            break;
        case Opcode::qemu_st:
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

Gpr UnitCompiler::probe(Gpr address, MemOp memop, bool is_store, Label& miss) {
    const unsigned size = memop.size();
    const auto table = static_cast<int32_t>(offsetof(ExecState, tlb) + memop.mmu_mode() * sizeof(TlbTable));
    const Gpr entry = scratch();
    const Gpr page = scratch();
    // The entry's byte offset: the page number, scaled, within the mask. The lower half of the address has all of it.
    constexpr unsigned kIndexShift = kPageBits - kTlbEntryShift;
    static_assert(kMaxTlbEntries << kPageBits <= uint64_t{1} << 32);
    as_->mov(Width::d32, entry, address);
    as_->shr(Width::d32, entry, kIndexShift);
    as_->and_(Width::d32, entry, at_state(exec_offset(table + offsetof(TlbTable, mask))));
    as_->add(Width::q64, entry, at_state(exec_offset(table + offsetof(TlbTable, entries))));
    // What must equal the tag: the page of the access's last byte.
    if (size > 1 && !memop.aligned()) {
        as_->lea(Width::q64, page, Mem(address, static_cast<int32_t>(size - 1)));
    } else {
        as_->mov(Width::q64, page, address);
    }
    as_->shr(Width::q64, page, kPageBits);
    const auto tag = static_cast<int32_t>(is_store ? offsetof(TlbEntry, write) : offsetof(TlbEntry, read));
    as_->cmp(Width::q64, page, Mem(entry, tag));
    as_->jcc(Cond::ne, miss);
    if (size > 1 && memop.aligned()) {
        as_->test(Width::b8, address, static_cast<int64_t>(size - 1));
        as_->jcc(Cond::ne, miss);
    }
    as_->mov(Width::q64, entry, Mem(entry, offsetof(TlbEntry, addend)));
    return entry;
}

void UnitCompiler::guest_load(const ir::Op& op) {
    const MemOp memop(op.aux);
    values_.sync_globals();
    if (memop.release() && target_.fences) {
        // Earlier stores must be seen before this load is done (LR with rl): SDM volume 3, 9.2.3.4.
        as_->lock_alu(Alu::or_, Width::d32, Mem(Gpr::rsp, -4), 0);
    }
    const Gpr address = use(op.args[1]);
    // All registers are claimed before the probe: what claiming one may store must be stored on the slow path as well.
    values_.release_dead(op_index_);
    const HostReg target = values_.def(op.args[0]);
    values_.lock(host(address));
    Stub& slow = stub(Stub::Kind::access);
    const Gpr addend = probe(address, memop, false, slow.entry);
    const Mem place(addend, address, 1);
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
    slow.resume = as_->offset();
    slow.access = AccessRecord(host(address), target, memop, false);
    values_.end_op(op_index_);
}

void UnitCompiler::guest_store(const ir::Op& op) {
    const MemOp memop(op.aux);
    values_.sync_globals();
    const Width size = width_of_size(memop.size_log2());
    const bool zero = values_.is_constant(op.args[0]) && values_.temp(op.args[0]).value == 0;
    const HostReg value = zero ? kZeroValue : values_.use(op.args[0]);
    const Gpr address = use(op.args[1]);
    Stub& slow = stub(Stub::Kind::access);
    const Gpr addend = probe(address, memop, true, slow.entry);
    const Mem place(addend, address, 1);
    if (zero) {
        as_->mov(size, place, 0);
    } else if (is_xmm(value)) {
        as_->sse(op.type == Type::f64 ? SimdMove::movsd : SimdMove::movss, place, xmm(value));
    } else {
        as_->mov(size, place, gpr(value));
    }
    slow.resume = as_->offset();
    slow.access = AccessRecord(host(address), value, memop, true);
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
    Stub& slow = stub(Stub::Kind::atomic);
    const Gpr addend = probe(gpr(address), memop, true, slow.entry);
    const Mem place(addend, gpr(address), 1);
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
    slow.resume = as_->offset();
    slow.atomic = AtomicRecord{host(gpr(address)), host(result), a, b, static_cast<uint16_t>(op.aux),
                               static_cast<uint8_t>(op.code), 0, 0};
    finish_in(op, result);
}

}  // namespace weft::tcg::x86_64
