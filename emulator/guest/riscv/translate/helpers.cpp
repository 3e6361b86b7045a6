#include "emulator/guest/riscv/translate/helpers.h"

#include <array>

#include "emulator/guest/riscv/cpu/csr.h"
#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/exception.h"
#include "emulator/guest/riscv/cpu/interrupts.h"
#include "emulator/guest/riscv/cpu/trap.h"
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

const std::array<HelperDesc, kHelperCount> kHelpers = [] {
    std::array<HelperDesc, kHelperCount> table{};
    table[kHelperRaise] = make_helper<&raise>("raise", kHelperMayRaise | kHelperNoReturn);
    table[kHelperCsr] = make_helper<&csr>("csr", kHelperMayRaise);
    table[kHelperMret] = make_helper<&mret>("mret", kHelperMayRaise);
    table[kHelperSret] = make_helper<&sret>("sret", kHelperMayRaise);
    table[kHelperWfi] = make_helper<&wfi>("wfi", kHelperMayRaise);
    table[kHelperSfenceVma] = make_helper<&sfence_vma>("sfence_vma", kHelperMayRaise);
    table[kHelperFenceI] = make_helper<&fence_i>("fence_i", kHelperSideEffects);
    return table;
}();

}  // namespace

std::span<const HelperDesc> helper_table() { return kHelpers; }

}  // namespace weft::riscv
