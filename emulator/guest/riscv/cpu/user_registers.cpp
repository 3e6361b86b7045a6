#include "emulator/guest/riscv/cpu/user_registers.h"

#include <algorithm>

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/csr_fields.h"
#include "emulator/guest/riscv/isa/csr_numbers.h"

namespace weft::riscv {

UserRegisters user_registers(const void* state_pointer) {
    const State& state = *static_cast<const State*>(state_pointer);
    UserRegisters registers;
    registers.pc = state_header(state_pointer).pc;
    for (unsigned n = 0; n < 32; ++n) {
        registers.x[n] = gpr(state, n);
    }
    std::ranges::copy(state.fpr, registers.f.begin());
    registers.fcsr = static_cast<uint32_t>(read_fp(state, kCsrFcsr));
    return registers;
}

void set_user_registers(void* state_pointer, const UserRegisters& registers) {
    State& state = *static_cast<State*>(state_pointer);
    state_header(state_pointer).pc = registers.pc & ~uint64_t{1};
    for (unsigned n = 1; n < 32; ++n) {
        gpr(state, n) = registers.x[n];
    }
    std::ranges::copy(registers.f, state.fpr);
    write_fp(state, kCsrFcsr, registers.fcsr, ~uint64_t{0});
    end_reservation(state);
}

void set_user_pointer_mask(void* state_pointer, unsigned bits) {
    uint64_t& senvcfg = static_cast<State*>(state_pointer)->senvcfg;
    senvcfg = (senvcfg & ~kPmm) | (bits == 0 ? 0 : (bits == 7 ? kPmmSeven : kPmmSixteen) << kPmmShift);
}

}  // namespace weft::riscv
