#include "emulator/guest/riscv/cpu/user_exception.h"

#include "base/assert.h"
#include "emulator/guest/riscv/cpu/exception.h"

namespace weft::riscv {

UserException user_exception(const void* state_pointer) {
    const State& state = *static_cast<const State*>(state_pointer);
    const uint64_t pc = state_header(state_pointer).pc;
    const auto at_pc = [pc](UserExceptionKind kind) {
        return UserException{kind, Access::fetch, MemoryFault::unmapped, pc};
    };
    const auto misaligned = [&state](Access access) {
        return UserException{UserExceptionKind::misaligned, access, MemoryFault::unmapped,
                             state.exception_tval};
    };
    const auto fault = [&state](Access access) {
        return UserException{UserExceptionKind::memory_fault, access, state.exception_fault,
                             state.exception_tval};
    };
    switch (static_cast<Exception>(state.exception_cause)) {
        case Exception::ecall_user:
            return at_pc(UserExceptionKind::ecall);
        case Exception::breakpoint:
            return at_pc(UserExceptionKind::breakpoint);
        case Exception::illegal_insn:
            return at_pc(UserExceptionKind::illegal);
        case Exception::insn_misaligned:
            return at_pc(UserExceptionKind::misaligned);
        case Exception::load_misaligned:
            return misaligned(Access::load);
        case Exception::store_misaligned:
            return misaligned(Access::store);
        case Exception::load_page:
        case Exception::load_access:
            return fault(Access::load);
        case Exception::store_page:
        case Exception::store_access:
            return fault(Access::store);
        case Exception::insn_page:
        case Exception::insn_access:
            return fault(Access::fetch);
        case Exception::ecall_supervisor:  // U mode is all there is
        case Exception::ecall_machine:
        case Exception::double_trap:  // recorded by none: it is made when another one is delivered
            break;
    }
    WEFT_ASSERT(!"no exception of U mode is recorded");
    return at_pc(UserExceptionKind::illegal);
}

void memory_fault(void* state_pointer, uint64_t vaddr, Access access, MemoryFault kind) {
    State& state = *static_cast<State*>(state_pointer);
    record_exception(state, kind == MemoryFault::bus ? access_fault(access) : page_fault(access), vaddr);
    state.exception_fault = kind;
}

bool leave_to_emulator(void* state) {
    end_reservation(*static_cast<State*>(state));
    return false;
}

}  // namespace weft::riscv
