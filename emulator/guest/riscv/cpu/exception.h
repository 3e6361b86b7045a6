// Exception causes, and how one is recorded for delivery.
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/cpu/state.h"
#include "weft/guest.h"

namespace weft::riscv {

// mcause values without the interrupt bit, privileged specification 3.1.15, table "Machine cause register
// values".
enum class Exception : uint64_t {
    insn_misaligned = 0,
    insn_access = 1,
    illegal_insn = 2,
    breakpoint = 3,
    load_misaligned = 4,
    load_access = 5,
    store_misaligned = 6,
    store_access = 7,
    ecall_user = 8,
    ecall_supervisor = 9,
    ecall_machine = 11,
    insn_page = 12,
    load_page = 13,
    store_page = 15,
    double_trap = 16,  // Ssdbltrp
};

// Three kinds of fault, each with a cause for every kind of access.
constexpr Exception misaligned_fault(Access access) {
    return access == Access::load    ? Exception::load_misaligned
           : access == Access::store ? Exception::store_misaligned
                                     : Exception::insn_misaligned;
}
constexpr Exception access_fault(Access access) {
    return access == Access::load    ? Exception::load_access
           : access == Access::store ? Exception::store_access
                                     : Exception::insn_access;
}
constexpr Exception page_fault(Access access) {
    return access == Access::load    ? Exception::load_page
           : access == Access::store ? Exception::store_page
                                     : Exception::insn_page;
}

// Records an exception in the state, for deliver(). For GuestArch functions, which report it by their result.
inline void record_exception(State& state, Exception cause, uint64_t tval) {
    state.exception_cause = static_cast<uint64_t>(cause);
    state.exception_tval = tval;
}

// Records an exception and tells the unit that called the helper. For helpers.
inline void raise_exception(State& state, Exception cause, uint64_t tval) {
    record_exception(state, cause, tval);
    state_header(&state).raised = 1;
}

}  // namespace weft::riscv
