#include "emulator/linux-user/riscv_cpu.h"

#include "base/assert.h"
#include "emulator/guest/riscv/cpu/user_exception.h"
#include "emulator/guest/riscv/cpu/user_registers.h"
#include "weft/state.h"

namespace weft::user {

namespace {

constexpr unsigned kA0 = 10;
constexpr unsigned kA7 = 17;
constexpr uint64_t kEcallSize = 4;

}  // namespace

uint64_t RiscvCpu::pc() const { return state_header(state_).pc; }

CpuCall RiscvCpu::call() const {
    const auto x = [this](unsigned index) { return riscv::user_x(state_, index); };
    return {.number = x(kA7),
            .arguments = {x(kA0), x(kA0 + 1), x(kA0 + 2), x(kA0 + 3), x(kA0 + 4), x(kA0 + 5)}};
}

void RiscvCpu::finish_call(uint64_t result) {
    riscv::set_user_x(state_, kA0, result);
    state_header(state_).pc += kEcallSize;
}

void RiscvCpu::set_pointer_mask(unsigned bits) { riscv::set_user_pointer_mask(state_, bits); }

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
