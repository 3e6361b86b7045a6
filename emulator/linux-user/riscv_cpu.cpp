#include "emulator/linux-user/riscv_cpu.h"

#include "base/assert.h"
#include "emulator/guest/riscv/cpu/user_exception.h"
#include "emulator/guest/riscv/cpu/user_registers.h"
#include "weft/state.h"

namespace weft::user {

uint64_t RiscvCpu::pc() const { return state_header(state_).pc; }
void RiscvCpu::set_pc(uint64_t pc) { state_header(state_).pc = pc; }
uint64_t RiscvCpu::x(unsigned index) const { return riscv::user_x(state_, index); }
void RiscvCpu::set_x(unsigned index, uint64_t value) { riscv::set_user_x(state_, index, value); }

FrameRegisters RiscvCpu::get() {
    const riscv::UserRegisters registers = riscv::user_registers(state_);
    return {.pc = registers.pc, .x = registers.x, .f = registers.f, .fcsr = registers.fcsr};
}

void RiscvCpu::set(const FrameRegisters& registers) {
    riscv::set_user_registers(
        state_, {.pc = registers.pc, .x = registers.x, .f = registers.f, .fcsr = registers.fcsr});
}

CpuException RiscvCpu::exception() const {
    const riscv::UserException exception = riscv::user_exception(state_);
    switch (exception.kind) {
        case riscv::UserExceptionKind::ecall:
            return {.kind = CpuException::Kind::call};
        case riscv::UserExceptionKind::breakpoint:
            return {.kind = CpuException::Kind::breakpoint};
        case riscv::UserExceptionKind::illegal:
            return {.kind = CpuException::Kind::illegal};
        case riscv::UserExceptionKind::misaligned:
            return {.kind = CpuException::Kind::misaligned, .address = exception.address};
        case riscv::UserExceptionKind::memory_fault:
            return {
                .kind = CpuException::Kind::memory, .address = exception.address, .fault = exception.fault};
    }
    assertion_failed(__FILE__, __LINE__, "no exception is recorded");
}

}  // namespace weft::user
