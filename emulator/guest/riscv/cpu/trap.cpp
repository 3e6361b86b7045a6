#include "emulator/guest/riscv/cpu/trap.h"

#include <fmt/format.h>

#include <array>

#include "base/log.h"
#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/exception.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/guest/riscv/cpu/pmu.h"
#include "emulator/guest/riscv/cpu/semihosting.h"
#include "weft/guest.h"

namespace weft::riscv {
namespace {

constexpr uint64_t if_bit(bool condition, uint64_t bit) { return condition ? bit : 0; }

// Base of the handler: stvec and mtvec, 3.1.7. Vectored mode spreads interrupts only.
uint64_t handler_pc(uint64_t tvec, uint64_t cause) {
    const uint64_t base = tvec & ~uint64_t{3};
    const bool vectored = (tvec & 3) == 1 && (cause & kCauseInterrupt) != 0;
    return vectored ? base + 4 * (cause & ~kCauseInterrupt) : base;
}

const char* cause_text(uint64_t cause) {
    if ((cause & kCauseInterrupt) != 0) {
        switch (static_cast<Interrupt>(cause & ~kCauseInterrupt)) {
            case Interrupt::supervisor_software:
                return "supervisor software interrupt";
            case Interrupt::machine_software:
                return "machine software interrupt";
            case Interrupt::supervisor_timer:
                return "supervisor timer interrupt";
            case Interrupt::machine_timer:
                return "machine timer interrupt";
            case Interrupt::supervisor_external:
                return "supervisor external interrupt";
            case Interrupt::machine_external:
                return "machine external interrupt";
            case Interrupt::counter_overflow:
                return "counter overflow interrupt";
        }
        return "unknown interrupt";
    }
    switch (static_cast<Exception>(cause)) {
        case Exception::insn_misaligned:
            return "misaligned instruction";
        case Exception::insn_access:
            return "instruction access fault";
        case Exception::illegal_insn:
            return "illegal instruction";
        case Exception::breakpoint:
            return "breakpoint";
        case Exception::load_misaligned:
            return "misaligned load";
        case Exception::load_access:
            return "load access fault";
        case Exception::store_misaligned:
            return "misaligned store";
        case Exception::store_access:
            return "store access fault";
        case Exception::ecall_user:
            return "environment call from U-mode";
        case Exception::ecall_supervisor:
            return "environment call from S-mode";
        case Exception::ecall_machine:
            return "environment call from M-mode";
        case Exception::insn_page:
            return "instruction page fault";
        case Exception::load_page:
            return "load page fault";
        case Exception::store_page:
            return "store page fault";
        case Exception::double_trap:
            return "double trap";
    }
    return "unknown exception";
}

// The -d int line of a trap that has been entered.
void log_trap(const State& state, uint64_t cause, uint64_t pc, uint64_t tval) {
    const StateHeader& header = state_header(&state);
    constexpr auto kItem = static_cast<unsigned>(LogItem::int_);
    if (!header.services->log_enabled(header.vcpu, kItem)) {
        return;
    }
    std::array<char, 160> text;
    const auto end =
        fmt::format_to_n(text.data(), text.size() - 1, "trap: hart {} to {}-mode, pc {:#x}, tval {:#x}, {}\n",
                         state.mhartid, state.priv == Priv::machine ? 'M' : 'S', pc, tval, cause_text(cause))
            .out;
    *end = 0;
    header.services->log(header.vcpu, kItem, text.data());
}

// "Smdbltrp": M mode was about to deal with a trap, and has nowhere to go. Without Smrnmi the hart stops.
void stop_for_good(State& state, uint64_t cause, uint64_t pc) {
    state.critical_error = true;
    StateHeader& header = state_header(&state);
    header.pc = hart_of(state).reset_pc();  // where an instruction can be fetched that will not be executed
    constexpr auto kItem = static_cast<unsigned>(LogItem::guest_errors);
    if (header.services->log_enabled(header.vcpu, kItem)) {
        std::array<char, 192> text;
        const auto end =
            fmt::format_to_n(text.data(), text.size() - 1,
                             "hart {}: {} at {:#x} while mstatus.MDT is 1: critical error, the hart "
                             "executes nothing until it is reset\n",
                             state.mhartid, cause_text(cause), pc)
                .out;
        *end = 0;
        header.services->log(header.vcpu, kItem, text.data());
    }
}

void enter_trap(State& state, uint64_t cause, uint64_t tval) {
    StateHeader& header = state_header(&state);
    end_reservation(state);

    // 3.1.8: a trap goes to M mode unless it came from below it and is delegated.
    const uint64_t delegated = (cause & kCauseInterrupt) != 0 ? state.mideleg : state.medeleg;
    const uint64_t number = cause & ~kCauseInterrupt;
    const uint64_t pc = header.pc & ~uint64_t{1};
    uint64_t status = state.mstatus;
    const bool to_supervisor = state.priv != Priv::machine && number < 64 && (delegated >> number & 1) != 0;
    // "Ssdbltrp": S mode was about to deal with a trap. M mode is told of both.
    const bool is_double = to_supervisor && (status & kStatusSdt) != 0;
    if (to_supervisor && !is_double) {
        state.scause = cause;
        state.sepc = pc;
        state.stval = tval;
        status &= ~(kStatusSpie | kStatusSpp | kStatusSie);
        status |= if_bit((state.mstatus & kStatusSie) != 0, kStatusSpie) |
                  if_bit(state.priv == Priv::supervisor, kStatusSpp) |
                  if_bit((state.menvcfg & kEnvcfgDte) != 0, kStatusSdt);
        state.priv = Priv::supervisor;
        header.pc = handler_pc(state.stvec, cause);
    } else {
        if ((status & kStatusMdt) != 0) {
            stop_for_good(state, cause, pc);
            return;
        }
        state.mcause = is_double ? static_cast<uint64_t>(Exception::double_trap) : cause;
        state.mtval2 = is_double ? cause : 0;
        state.mepc = pc;
        state.mtval = tval;
        status &= ~(kStatusMpie | kStatusMpp | kStatusMie);
        status |= if_bit((state.mstatus & kStatusMie) != 0, kStatusMpie) |
                  static_cast<uint64_t>(state.priv) << kStatusMppShift |
                  if_bit(has(state, Extension::smdbltrp), kStatusMdt);
        state.priv = Priv::machine;
        header.pc = handler_pc(state.mtvec, cause);
    }
    state.mstatus = status;
    pmu_trap_entered(state);
    log_trap(state, is_double ? static_cast<uint64_t>(Exception::double_trap) : cause, pc, tval);
}

}  // namespace

bool deliver(void* state_pointer) {
    State& state = *static_cast<State*>(state_pointer);
    if (semihosting_call(state)) {
        return true;
    }
    enter_trap(state, state.exception_cause, state.exception_tval);
    return true;
}

void enter_interrupt(State& state, Interrupt interrupt) {
    enter_trap(state, kCauseInterrupt | static_cast<uint64_t>(interrupt), 0);
}

// "Smdbltrp" and "Ssdbltrp": what returns has dealt with its trap; who returns to U mode, with S mode's as well.
// 3.1.6.1 and 3.1.6.3: the stack is popped; MPRV does not survive a return to less than M mode.
uint64_t return_from_machine(State& state) {
    const auto previous = static_cast<Priv>((state.mstatus & kStatusMpp) >> kStatusMppShift);
    uint64_t status = state.mstatus & ~(kStatusMie | kStatusMpp | kStatusMdt);
    status |= if_bit((state.mstatus & kStatusMpie) != 0, kStatusMie) | kStatusMpie;
    if (previous != Priv::machine) {
        status &= ~kStatusMprv;
    }
    status &= previous == Priv::user ? ~kStatusSdt : ~uint64_t{0};
    state.mstatus = status;
    state.priv = previous;
    pmu_trap_returned(state);
    end_reservation(state);
    return state.mepc;
}

uint64_t return_from_supervisor(State& state) {
    const Priv previous = (state.mstatus & kStatusSpp) != 0 ? Priv::supervisor : Priv::user;
    uint64_t status = state.mstatus & ~(kStatusSie | kStatusSpp | kStatusMprv | kStatusSdt |
                                        if_bit(state.priv == Priv::machine, kStatusMdt));
    status |= if_bit((state.mstatus & kStatusSpie) != 0, kStatusSie) | kStatusSpie;
    state.mstatus = status;
    state.priv = previous;
    pmu_trap_returned(state);
    end_reservation(state);
    return state.sepc;
}

}  // namespace weft::riscv
