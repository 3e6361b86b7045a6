// Reservations and atomic memory operations of the A extension, Zabha and Zacas, and fences.
//
// LR/SC is a compare-and-swap with the value that LR loaded. SC to another address or of another size fails, and changes nothing.
//
// What is reserved is memory, and the address that is compared is a virtual one. So whatever may make it mean other memory
// ends the reservation: traps, MRET and SRET, writes of satp and of what mstatus says about loads and stores, SFENCE.VMA
// and SINVAL.VMA (state.h, end_reservation). SC may fail for that: those are no instructions of constrained LR/SC loops
// (unprivileged specification, "Eventual Success of Store-Conditional Instructions").
//
// Memory that has no atomics cannot be reserved either: LR to a device or to ROM is a load access fault, as AMO to it is a
// store access fault (privileged specification 3.6.3, RsrvNone and AMONone). So SC never has a reservation there.
//
// SC that fails has to be allowed to store nonetheless (unprivileged specification, Zalrsc): it exchanges a value for itself.
//
// Two deviations: that another hart stored and put the same value back goes unnoticed, and so does a page table entry that
// was changed without SFENCE.VMA, where the other memory has the same value.
#pragma once

#include "emulator/guest/riscv/translate/semantics.h"
#include "emulator/guest/riscv/translate/semantics_mem.h"

namespace weft::riscv::semantics {

namespace detail {

inline uint32_t ordering(const Insn& insn) {
    return (insn.aq() ? ir::MemOp::kAcquire : 0) | (insn.rl() ? ir::MemOp::kRelease : 0);
}

inline uint32_t atomic_flags(const Insn& insn, SizeLog2 size) {
    return ir::MemOp::kAligned | ordering(insn) | (size < kWord ? ir::MemOp::kSign : 0);
}

template <ir::Opcode kCode>
void amo(auto& t, const Insn& insn, SizeLog2 size) {
    t.amo_x(insn.rd, op<kCode>, t.x(insn.rs1), t.x(insn.rs2), t.memop(size, atomic_flags(insn, size)));
}

void compare_and_swap(auto& t, const Insn& insn, SizeLog2 size) {
    t.cas_x(insn.rd, t.x(insn.rs1), t.x(insn.rs2), t.memop(size, atomic_flags(insn, size)));
}

void load_reserved(auto& t, const Insn& insn, SizeLog2 size) {
    t.load_reserved_x(insn.rd, t.x(insn.rs1), t.memop(size, ir::MemOp::kAligned | ordering(insn)));
}

void store_conditional(auto& t, const Insn& insn, SizeLog2 size) {
    t.store_conditional_x(insn.rd, t.x(insn.rs1), t.x(insn.rs2),
                          t.memop(size, ir::MemOp::kAligned | ordering(insn)));
}

// Which barrier a pair of fence sets asks for: the bits of a set are device input, device output, reads,
// writes.
inline uint32_t barrier(unsigned before, unsigned after) {
    constexpr unsigned kReads = 0b1010;
    constexpr unsigned kWrites = 0b0101;
    const bool reads_before = (before & kReads) != 0;
    const bool writes_before = (before & kWrites) != 0;
    const bool reads_after = (after & kReads) != 0;
    const bool writes_after = (after & kWrites) != 0;
    uint32_t kinds = 0;
    const auto order = [&kinds](bool earlier, bool later, ir::BarrierKind kind) {
        if (earlier && later) {
            kinds |= kind;
        }
    };
    order(reads_before, reads_after, ir::kBarrierLoadLoad);
    order(reads_before, writes_after, ir::kBarrierLoadStore);
    order(writes_before, reads_after, ir::kBarrierStoreLoad);
    order(writes_before, writes_after, ir::kBarrierStoreStore);
    return kinds;
}

}  // namespace detail

void lr_w(auto& t, const Insn& insn) { detail::load_reserved(t, insn, detail::kWord); }
void lr_d(auto& t, const Insn& insn) { detail::load_reserved(t, insn, detail::kDouble); }
void sc_w(auto& t, const Insn& insn) { detail::store_conditional(t, insn, detail::kWord); }
void sc_d(auto& t, const Insn& insn) { detail::store_conditional(t, insn, detail::kDouble); }

void amoswap_w(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_xchg>(t, insn, detail::kWord); }
void amoadd_w(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_add>(t, insn, detail::kWord); }
void amoxor_w(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_xor>(t, insn, detail::kWord); }
void amoand_w(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_and>(t, insn, detail::kWord); }
void amoor_w(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_or>(t, insn, detail::kWord); }
void amomin_w(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_smin>(t, insn, detail::kWord); }
void amomax_w(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_smax>(t, insn, detail::kWord); }
void amominu_w(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_umin>(t, insn, detail::kWord); }
void amomaxu_w(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_umax>(t, insn, detail::kWord); }
void amoswap_d(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_xchg>(t, insn, detail::kDouble); }
void amoadd_d(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_add>(t, insn, detail::kDouble); }
void amoxor_d(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_xor>(t, insn, detail::kDouble); }
void amoand_d(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_and>(t, insn, detail::kDouble); }
void amoor_d(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_or>(t, insn, detail::kDouble); }
void amomin_d(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_smin>(t, insn, detail::kDouble); }
void amomax_d(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_smax>(t, insn, detail::kDouble); }
void amominu_d(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_umin>(t, insn, detail::kDouble); }
void amomaxu_d(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_umax>(t, insn, detail::kDouble); }

void amoswap_b(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_xchg>(t, insn, detail::kByte); }
void amoadd_b(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_add>(t, insn, detail::kByte); }
void amoxor_b(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_xor>(t, insn, detail::kByte); }
void amoand_b(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_and>(t, insn, detail::kByte); }
void amoor_b(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_or>(t, insn, detail::kByte); }
void amomin_b(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_smin>(t, insn, detail::kByte); }
void amomax_b(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_smax>(t, insn, detail::kByte); }
void amominu_b(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_umin>(t, insn, detail::kByte); }
void amomaxu_b(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_umax>(t, insn, detail::kByte); }
void amoswap_h(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_xchg>(t, insn, detail::kHalf); }
void amoadd_h(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_add>(t, insn, detail::kHalf); }
void amoxor_h(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_xor>(t, insn, detail::kHalf); }
void amoand_h(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_and>(t, insn, detail::kHalf); }
void amoor_h(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_or>(t, insn, detail::kHalf); }
void amomin_h(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_smin>(t, insn, detail::kHalf); }
void amomax_h(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_smax>(t, insn, detail::kHalf); }
void amominu_h(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_umin>(t, insn, detail::kHalf); }
void amomaxu_h(auto& t, const Insn& insn) { detail::amo<ir::Opcode::atomic_umax>(t, insn, detail::kHalf); }

void amocas_b(auto& t, const Insn& insn) { detail::compare_and_swap(t, insn, detail::kByte); }
void amocas_h(auto& t, const Insn& insn) { detail::compare_and_swap(t, insn, detail::kHalf); }
void amocas_w(auto& t, const Insn& insn) { detail::compare_and_swap(t, insn, detail::kWord); }
void amocas_d(auto& t, const Insn& insn) { detail::compare_and_swap(t, insn, detail::kDouble); }

// Reserved fence modes are plain fences.
void fence(auto& t, const Insn& insn) {
    const unsigned sets = static_cast<unsigned>(insn.imm);
    const uint32_t kinds = detail::barrier(sets >> 4 & 15, sets & 15);
    if (kinds != 0) {
        t.b().mb(kinds);
    }
}

void fence_tso(auto& t, const Insn&) {
    t.b().mb(ir::kBarrierLoadLoad | ir::kBarrierLoadStore | ir::kBarrierStoreStore);
}

}  // namespace weft::riscv::semantics
