// Environment calls, CSRs, the privileged instructions and what tells the hart that memory's meaning changed.
#include <cstddef>

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/csr_fields.h"
#include "emulator/guest/riscv/isa/csr_numbers.h"
#include "emulator/guest/riscv/translate/translator.h"

namespace weft::riscv::semantics {

using ir::ExitReason;
using ir::I32;
using ir::I64;
using ir::Opcode;
using ir::Type;

namespace {

constexpr int32_t kFrmOffset = static_cast<int32_t>(offsetof(State, frm));
constexpr unsigned kFflagsBits = 5;
constexpr unsigned kFrmBits = 3;

I32 bits_of(Translator& t, const Insn& insn) { return t.b().imm32(insn.bits); }

I64 read_fp_csr(Translator& t, unsigned csr) {
    ir::Builder& b = t.b();
    if (csr == kCsrFflags) {
        return b.fpflags_get();
    }
    const I64 frm = b.load_state<I64>(Opcode::ld32u, kFrmOffset);
    return csr == kCsrFrm ? frm : b.or_(b.fpflags_get(), b.shl(frm, b.imm(kFflagsBits)));
}

void write_fp_csr(Translator& t, unsigned csr, I64 value) {
    ir::Builder& b = t.b();
    if (csr != kCsrFrm) {
        b.fpflags_set(b.extract(value, 0, kFflagsBits));
    }
    if (csr != kCsrFflags) {
        b.store_state(Opcode::st32, b.extract(value, csr == kCsrFrm ? 0 : kFflagsBits, kFrmBits), kFrmOffset);
    }
    t.writes_fp_state();
    if (csr != kCsrFflags) {  // frm is a TB flag
        t.end_with_exit();
    }
}

// What a CSR is written with: `operand` itself, or the old value with the operand's bits set or cleared.
I64 combine(Translator& t, CsrOp op, I64 old, I64 operand) {
    switch (op) {
        case CsrOp::set:
            return t.b().or_(old, operand);
        case CsrOp::clear:
            return t.b().op(Opcode::andc, old, operand);
        default:
            return operand;
    }
}

void access_fp_csr(Translator& t, const Insn& insn, CsrOp op, I64 operand) {
    if (!t.needs_fp(insn)) {
        return;
    }
    const unsigned csr = static_cast<unsigned>(insn.imm);
    const I64 old = op == CsrOp::write ? t.b().imm(0) : read_fp_csr(t, csr);
    // Before rd is written, which may be the operand.
    const I64 value = op == CsrOp::read ? old : t.b().op(Opcode::mov, combine(t, op, old, operand));
    if (insn.rd != 0) {
        t.set_x(insn.rd, old);
    }
    if (op != CsrOp::read) {
        write_fp_csr(t, csr, value);
    }
}

// A register that is a word of the state (CsrDesc::reads_word, writes_word). Its mode is one of the TB flags.
void access_word_csr(Translator& t, const Insn& insn, const CsrDesc& desc, CsrOp op, I64 operand) {
    const bool writes = op != CsrOp::read;
    if (!csr_reachable(static_cast<unsigned>(insn.imm), t.flags().priv(), writes)) {
        t.illegal(insn);
        return;
    }
    ir::Builder& b = t.b();
    const int32_t offset = csr_word_offset(desc);
    const I64 old = op == CsrOp::write ? b.imm(0) : b.load_state<I64>(Opcode::ld, offset);
    if (writes) {
        const I64 value = combine(t, op, old, operand);
        b.store_state(Opcode::st, ~desc.writable == 0 ? value : b.and_(value, b.imm(desc.writable)), offset);
    }
    if (insn.rd != 0) {  // last: it may be the operand
        t.set_x(insn.rd, old);
    }
}

// sstatus as S mode reads it (csr_status.cpp), of the word that has it. While a unit runs, FS is what its TB flags say.
I64 sstatus_of(Translator& t, I64 mstatus) {
    const uint64_t dirty = t.flags().fp() == FpState::dirty ? kStatusSd : 0;
    return t.b().or_(t.b().and_(mstatus, t.b().imm(kSstatusWritable)), t.b().imm(kStatusUxl64 | dirty));
}

void call_csr(Translator& t, const Insn& insn, CsrOp op, I64 operand) {
    // Into a temp first: the helper may raise, and then rd keeps its value.
    const I64 old = t.b().call_value<I64>(kHelperCsr, t.b().imm32(static_cast<unsigned>(insn.imm)), operand,
                                          t.b().imm32(static_cast<uint32_t>(op)), bits_of(t, insn));
    if (insn.rd != 0) {
        t.set_x(insn.rd, old);
    }
}

// CSRRS and CSRRC of sstatus in S mode that change no more than SIE, as kernels do all the time. What is known only when it runs
// is looked at then.
void change_sie(Translator& t, const Insn& insn, CsrOp op, I64 operand) {
    ir::Builder& b = t.b();
    constexpr auto kMstatus = static_cast<int32_t>(offsetof(State, mstatus));
    const bool immediate = insn.desc->format == Format::csri;
    if (op == CsrOp::set && t.extensions().has(Extension::ssdbltrp)) {
        // SIE stays zero while SDT is one ("Ssdbltrp").
        const ir::Label single = b.new_label();
        b.brcond(ir::Cond::tsteq, b.load_state<I64>(Opcode::ld, kMstatus), b.imm(kStatusSdt), single);
        call_csr(t, insn, op, operand);
        t.exit_here();
        b.set_label(single);
    }
    if (!immediate) {
        const ir::Label only_sie = b.new_label();
        b.brcond(ir::Cond::tsteq, operand, b.imm(~kStatusSie), only_sie);
        call_csr(t, insn, op, operand);
        t.exit_here();
        b.set_label(only_sie);
    }
    const I64 old = b.load_state<I64>(Opcode::ld, kMstatus);
    const I64 bits = immediate ? b.imm(insn.rs1 & kStatusSie) : operand;
    b.store_state(Opcode::st, combine(t, op, old, bits), kMstatus);
    if (insn.rd != 0) {  // last: it may be the operand
        t.set_x(insn.rd, sstatus_of(t, old));
    }
    if (op == CsrOp::set) {
        // What SIE lets through is taken before the next instruction (privileged specification 3.1.9).
        t.exit_if(ir::Cond::ne, b.call_value<I64>(kHelperInterruptsDue), b.imm(0));
    }
}

// Register operands of CSRRC are more than SIE where kernels have them.
bool changes_sie(const Translator& t, const Insn& insn, CsrOp op) {
    return insn.imm == kCsrSstatus && t.flags().priv() == Priv::supervisor && t.inlines_csrs() &&
           (op == CsrOp::set || (op == CsrOp::clear && insn.desc->format == Format::csri));
}

void access_csr(Translator& t, const Insn& insn, CsrOp op, I64 operand) {
    const unsigned csr = static_cast<unsigned>(insn.imm);
    if (csr == kCsrFflags || csr == kCsrFrm || csr == kCsrFcsr) {
        access_fp_csr(t, insn, op, operand);
        return;
    }
    const CsrDesc* desc = find_csr(csr, t.extensions());
    const bool writes = op != CsrOp::read;
    const bool stores_word = desc != nullptr && desc->writes_word();
    if (t.inlines_csrs() && desc != nullptr && desc->reads_word() && (!writes || stores_word)) {
        access_word_csr(t, insn, *desc, op, operand);
        return;
    }
    if (changes_sie(t, insn, op)) {
        change_sie(t, insn, op, operand);
        return;
    }
    call_csr(t, insn, op, operand);
    if (writes && !stores_word) {
        t.end_with_exit();
    }
}

// CSRRW reads nothing for rd = x0, CSRRS and CSRRC write nothing for rs1 = x0 or a zero immediate.
CsrOp swap_op(const Insn& insn) { return insn.rd == 0 ? CsrOp::write : CsrOp::read_write; }
CsrOp mask_op(const Insn& insn, CsrOp op) { return insn.rs1 == 0 ? CsrOp::read : op; }

I64 immediate(Translator& t, const Insn& insn) { return t.b().imm(insn.rs1); }

void return_from_trap(Translator& t, const Insn& insn, HelperId helper) {
    const I64 pc = t.b().call_value<I64>(helper, bits_of(t, insn));
    t.end_with_exit(ExitReason::lookup, pc);
}

void fence_vma(Translator& t, const Insn& insn) {
    uint32_t flags = 0;
    flags |= insn.rs1 != 0 ? uint32_t{kSfenceHasAddress} : 0;
    flags |= insn.rs2 != 0 ? uint32_t{kSfenceHasAsid} : 0;
    t.b().call(kHelperSfenceVma, t.x(insn.rs1), t.x(insn.rs2), t.b().imm32(flags), bits_of(t, insn));
    t.end_with_exit();
}

// SFENCE.W.INVAL and SFENCE.INVAL.IR order what SINVAL.VMA does, which here is done at once. They are legal
// in S-mode whatever mstatus.TVM says (privileged specification, "Svinval").
void fence_inval(Translator& t, const Insn& insn) {
    if (t.flags().priv() == Priv::user) {
        t.illegal(insn);
    } else {
        t.end_with_exit();
    }
}

}  // namespace

// tval is the breakpoint's own address (privileged specification, "Machine Trap Value Register").
void ebreak(Translator& t, const Insn&) { t.raise(Exception::breakpoint, t.b().pc_add(t.offset())); }

void csrrw(Translator& t, const Insn& insn) { access_csr(t, insn, swap_op(insn), t.x(insn.rs1)); }
void csrrs(Translator& t, const Insn& insn) { access_csr(t, insn, mask_op(insn, CsrOp::set), t.x(insn.rs1)); }
void csrrc(Translator& t, const Insn& insn) {
    access_csr(t, insn, mask_op(insn, CsrOp::clear), t.x(insn.rs1));
}
void csrrwi(Translator& t, const Insn& insn) { access_csr(t, insn, swap_op(insn), immediate(t, insn)); }
void csrrsi(Translator& t, const Insn& insn) {
    access_csr(t, insn, mask_op(insn, CsrOp::set), immediate(t, insn));
}
void csrrci(Translator& t, const Insn& insn) {
    access_csr(t, insn, mask_op(insn, CsrOp::clear), immediate(t, insn));
}

void mret(Translator& t, const Insn& insn) { return_from_trap(t, insn, kHelperMret); }
void sret(Translator& t, const Insn& insn) { return_from_trap(t, insn, kHelperSret); }

void wfi(Translator& t, const Insn& insn) {
    t.b().call(kHelperWfi, bits_of(t, insn));
    t.end_with_exit(ExitReason::halt);
}

void sfence_vma(Translator& t, const Insn& insn) { fence_vma(t, insn); }
void sinval_vma(Translator& t, const Insn& insn) { fence_vma(t, insn); }
void sfence_w_inval(Translator& t, const Insn& insn) { fence_inval(t, insn); }
void sfence_inval_ir(Translator& t, const Insn& insn) { fence_inval(t, insn); }

namespace {

constexpr uint64_t kCacheBlock = kCacheBlockSize;

void operate_on_block(Translator& t, const Insn& insn, CacheOp op) {
    t.b().call(kHelperCbo, t.masked(t.x(insn.rs1)), t.b().imm32(static_cast<uint32_t>(op)), bits_of(t, insn));
}

}  // namespace

void cbo_inval(Translator& t, const Insn& insn) { operate_on_block(t, insn, CacheOp::invalidate); }
void cbo_clean(Translator& t, const Insn& insn) { operate_on_block(t, insn, CacheOp::clean); }
void cbo_flush(Translator& t, const Insn& insn) { operate_on_block(t, insn, CacheOp::flush); }

// Stores: what they do to memory that is code, and how they fault, is theirs. Where another mode has a say (unprivileged
// specification, "CMO"), menvcfg and for U mode senvcfg are asked at each, as they are no TB flags; a helper would be an effect
// before them (tcg/ir/verify.h, RedoRule).
void cbo_zero(Translator& t, const Insn& insn) {
    ir::Builder& b = t.b();
    if (const Priv priv = t.flags().priv(); priv != Priv::machine) {
        I64 allowed = b.load_state<I64>(Opcode::ld, static_cast<int32_t>(offsetof(State, menvcfg)));
        if (priv == Priv::user) {
            allowed = b.and_(allowed,
                             b.load_state<I64>(Opcode::ld, static_cast<int32_t>(offsetof(State, senvcfg))));
        }
        const ir::Label legal = b.new_label();
        b.brcond(ir::Cond::tstne, allowed, b.imm(kEnvcfgCbze), legal);
        t.raise_here(Exception::illegal_insn, b.imm(insn.bits));
        b.set_label(legal);
    }
    const I64 block = b.and_(t.masked(t.x(insn.rs1)), b.imm(~(kCacheBlock - 1)));
    for (int32_t at = 0; at < static_cast<int32_t>(kCacheBlock); at += 8) {
        b.guest_st(b.imm(0), block, t.memop(detail::kDouble).at(at));
    }
}

void fence_i(Translator& t, const Insn&) {
    t.b().call(kHelperFenceI);
    t.end_with_exit();
}

}  // namespace weft::riscv::semantics
