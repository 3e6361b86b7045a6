#include "emulator/guest/riscv/translate/helpers.h"

#include <array>

#include "emulator/guest/riscv/cpu/csr.h"
#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/exception.h"
#include "emulator/guest/riscv/cpu/interrupts.h"
#include "emulator/guest/riscv/cpu/mmu.h"
#include "emulator/guest/riscv/cpu/tb_flags.h"
#include "emulator/guest/riscv/cpu/trap.h"
#include "emulator/guest/riscv/translate/bit_functions.h"
#include "emulator/guest/riscv/translate/cipher_functions.h"
#include "emulator/guest/riscv/translate/soft_fp.h"
#include "weft/guest.h"

namespace weft::riscv {
namespace {

void raise(State* state, uint32_t cause, uint64_t tval) {
    raise_exception(*state, static_cast<Exception>(cause), tval);
}

void raise_illegal(State& state, uint32_t insn) { raise_exception(state, Exception::illegal_insn, insn); }

uint64_t csr(State* state, uint32_t number, uint64_t operand, uint32_t op, uint32_t insn) {
    uint64_t old = 0;
    if (!csr_access(*state, number, operand, static_cast<CsrOp>(op), &old)) {
        raise_illegal(*state, insn);
    }
    return old;
}

uint64_t interrupts_due(State* state) { return interrupts_changed(*state) ? 1 : 0; }

// 3.3.2.
uint64_t mret(State* state, uint32_t insn) {
    if (state->priv != Priv::machine) {
        raise_illegal(*state, insn);
        return 0;
    }
    const uint64_t pc = return_from_machine(*state);
    interrupts_changed(*state);
    return pc;
}

// 3.3.2, and 3.1.6.5 for TSR.
uint64_t sret(State* state, uint32_t insn) {
    if (state->priv == Priv::user ||
        (state->priv == Priv::supervisor && (state->mstatus & kStatusTsr) != 0)) {
        raise_illegal(*state, insn);
        return 0;
    }
    const uint64_t pc = return_from_supervisor(*state);
    interrupts_changed(*state);
    return pc;
}

// 3.3.3, and 3.1.6.5 for TW. The bounded time after which WFI may become illegal is zero: in U mode always,
// in S mode with TW.
void wfi(State* state, uint32_t insn) {
    if (state->priv == Priv::user || (state->priv == Priv::supervisor && (state->mstatus & kStatusTw) != 0)) {
        raise_illegal(*state, insn);
    }
}

// Unprivileged specification, "Zawrs": with TW, where it does not complete within a bounded time, which here is none. The wait may
// end at any time, and does.
void wrs_nto(State* state, uint32_t insn) {
    if (state->priv != Priv::machine && (state->mstatus & kStatusTw) != 0) {
        raise_illegal(*state, insn);
    }
}

// Unprivileged specification, "CMO", "Control and Status Register State": what menvcfg, and in U mode senvcfg, have to allow.
bool may_operate(const State& state, CacheOp op) {
    const uint64_t needed = op == CacheOp::invalidate ? kEnvcfgCbie : kEnvcfgCbcfe;
    return state.priv == Priv::machine || ((state.menvcfg & needed) != 0 &&
                                           (state.priv == Priv::supervisor || (state.senvcfg & needed) != 0));
}

// A block may be operated on where it may be loaded from or stored to; else it is a store's fault (the same chapter, "Traps").
// There are no caches, so nothing is left to be done.
bool may_reach(State& state, uint64_t address) {
    const StateHeader& header = state_header(&state);
    const auto mode = static_cast<uint8_t>(TbFlags(tb_flags(&state)).data_mode());
    if (state.in_process) {
        uint64_t value = 0;
        return header.services->load(header.vcpu, address, ir::MemOp(0, mode).bits(), &value);
    }
    WalkResult result{};
    const WalkRequest load{address, Access::load, mode, 1, false};
    const WalkRequest store{address, Access::store, mode, 1, false};
    return walk(&state, &load, &result) || walk(&state, &store, &result);
}

void cbo(State* state, uint64_t address, uint32_t op, uint32_t insn) {
    if (!may_operate(*state, static_cast<CacheOp>(op))) {
        raise_illegal(*state, insn);
    } else if (!may_reach(*state, address)) {
        state_header(state).raised = 1;
    }
}

// 4.2.1, and 3.1.6.5 for TVM.
void sfence_vma(State* state, uint64_t address, uint64_t asid, uint32_t flags, uint32_t insn) {
    if (state->priv == Priv::user ||
        (state->priv == Priv::supervisor && (state->mstatus & kStatusTvm) != 0)) {
        raise_illegal(*state, insn);
        return;
    }
    const TlbFlush flush{(flags & kSfenceHasAddress) == 0, (flags & kSfenceHasAsid) == 0, address,
                         static_cast<uint32_t>(asid & kSatpAsidMask)};
    const StateHeader& header = state_header(state);
    header.services->tlb_flush(header.vcpu, &flush);
    end_reservation(*state);
}

void fence_i(State* state) {
    const StateHeader& header = state_header(state);
    header.services->fence_i(header.vcpu);
}

// Whether an access was not made: then it has recorded an exception, or the vCPU has failed.
bool raised_unless(State& state, bool made) {
    state_header(&state).raised |= made ? 0 : 1;
    return !made;
}

// What IR's atomics have no widths for.
uint64_t amo(State* state, uint64_t address, uint64_t operand, uint32_t opcode, uint32_t memop) {
    const StateHeader& header = state_header(state);
    uint64_t old = 0;
    raised_unless(*state, header.services->atomic(header.vcpu, static_cast<ir::Opcode>(opcode), address,
                                                  memop, operand, 0, &old));
    return old;
}

uint64_t cas(State* state, uint64_t address, uint64_t expected, uint64_t desired, uint32_t memop) {
    const StateHeader& header = state_header(state);
    uint64_t old = 0;
    raised_unless(*state, header.services->atomic(header.vcpu, ir::Opcode::atomic_cmpxchg, address, memop,
                                                  expected, desired, &old));
    return old;
}

// Unprivileged specification, "amocas.q": a pair that begins with x0 is zero, and is not written.
void cas_pair(State* state, uint64_t address, uint32_t rd, uint32_t rs2, uint32_t memop) {
    const StateHeader& header = state_header(state);
    const auto pair = [state](uint32_t n) {
        return n == 0 ? std::array<uint64_t, 2>{} : std::array{gpr(*state, n), gpr(*state, n + 1)};
    };
    std::array<uint64_t, 2> old{};
    if (!raised_unless(*state, header.services->compare_exchange_pair(header.vcpu, address, memop, pair(rd),
                                                                      pair(rs2), &old)) &&
        rd != 0) {
        gpr(*state, rd) = old[0];
        gpr(*state, rd + 1) = old[1];
    }
}

const std::array<HelperDesc, kHelperCount> kHelpers = [] {
    std::array<HelperDesc, kHelperCount> table{};
    table[kHelperRaise] = make_helper<&raise>("raise", kHelperMayRaise | kHelperNoReturn);
    table[kHelperCsr] = make_helper<&csr>("csr", kHelperMayRaise);
    table[kHelperInterruptsDue] = make_helper<&interrupts_due>("interrupts_due", kHelperSideEffects);
    table[kHelperMret] = make_helper<&mret>("mret", kHelperMayRaise);
    table[kHelperSret] = make_helper<&sret>("sret", kHelperMayRaise);
    table[kHelperWfi] = make_helper<&wfi>("wfi", kHelperMayRaise);
    table[kHelperSfenceVma] = make_helper<&sfence_vma>("sfence_vma", kHelperMayRaise);
    table[kHelperFenceI] = make_helper<&fence_i>("fence_i", kHelperSideEffects);
    table[kHelperWrsNto] = make_helper<&wrs_nto>("wrs_nto", kHelperMayRaise);
    table[kHelperAmo] = make_helper<&amo>("amo", kHelperMayRaise);
    table[kHelperCas] = make_helper<&cas>("cas", kHelperMayRaise);
    table[kHelperCasPair] = make_helper<&cas_pair>("cas_pair", kHelperMayRaise);
    table[kHelperCbo] = make_helper<&cbo>("cbo", kHelperMayRaise);
    table[kHelperSoftFp] = make_helper<&soft_fp>("soft_fp", kHelperSideEffects);
    table[kHelperClmul] = make_helper<&carryless_multiply>("clmul", kHelperPure);
    table[kHelperClmulh] = make_helper<&carryless_multiply_high>("clmulh", kHelperPure);
    table[kHelperXperm4] = make_helper<&permute<4>>("xperm4", kHelperPure);
    table[kHelperXperm8] = make_helper<&permute<8>>("xperm8", kHelperPure);
    table[kHelperAesEncryptLast] = make_helper<&aes_encrypt_last>("aes_encrypt_last", kHelperPure);
    table[kHelperAesEncryptMiddle] = make_helper<&aes_encrypt_middle>("aes_encrypt_middle", kHelperPure);
    table[kHelperAesDecryptLast] = make_helper<&aes_decrypt_last>("aes_decrypt_last", kHelperPure);
    table[kHelperAesDecryptMiddle] = make_helper<&aes_decrypt_middle>("aes_decrypt_middle", kHelperPure);
    table[kHelperAesInverseMix] = make_helper<&aes_inverse_mix>("aes_inverse_mix", kHelperPure);
    table[kHelperAesKeyWord] = make_helper<&aes_key_word>("aes_key_word", kHelperPure);
    table[kHelperSm4Round] = make_helper<&sm4_round>("sm4_round", kHelperPure);
    table[kHelperSm4KeyRound] = make_helper<&sm4_key_round>("sm4_key_round", kHelperPure);
    return table;
}();

}  // namespace

std::span<const HelperDesc> helper_table() { return kHelpers; }

}  // namespace weft::riscv
