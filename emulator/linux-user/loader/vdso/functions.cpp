#include "emulator/linux-user/loader/vdso/functions.h"

#include "emulator/guest/riscv/isa/insn_table.h"

namespace weft::user::vdso {

namespace {

using riscv::InsnId;

constexpr uint32_t kZero = 0, kRa = 1, kA7 = 17;

// An instruction with operands like addi's (unprivileged specification, "Base Instruction Formats": I). The immediate is positive.
uint32_t encode_i(InsnId id, uint32_t rd, uint32_t rs1, uint32_t immediate) {
    return riscv::insn_desc(id).match | rd << 7 | rs1 << 15 | immediate << 20;
}

}  // namespace

std::vector<uint32_t> instructions(const Function& function) {
    std::vector<uint32_t> code{encode_i(InsnId::addi, kA7, kZero, function.syscall),
                               riscv::insn_desc(InsnId::ecall).match};
    if (function.returns) {
        code.push_back(encode_i(InsnId::jalr, kZero, kRa, 0));
    }
    return code;
}

uint32_t no_operation() { return encode_i(InsnId::addi, kZero, kZero, 0); }

}  // namespace weft::user::vdso
