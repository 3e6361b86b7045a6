// The architecture as one constant table: what the accelerator gets to see of RISC-V.
#include "emulator/target/riscv/disassemble.h"
#include "emulator/target/riscv/globals.h"
#include "emulator/target/riscv/hart.h"
#include "emulator/target/riscv/helpers.h"
#include "emulator/target/riscv/interrupts.h"
#include "emulator/target/riscv/mmu.h"
#include "emulator/target/riscv/reset.h"
#include "emulator/target/riscv/run.h"
#include "emulator/target/riscv/tb_flags.h"
#include "emulator/target/riscv/translate.h"
#include "emulator/target/riscv/trap.h"

namespace weft::riscv {

const GuestArch& guest_arch() {
    static const GuestArch kArch = {
        .abi_version = kGuestAbiVersion,
        .ir_version = ir::kIrVersion,
        .name = "riscv64",
        .state_size = sizeof(State),
        .mmu_mode_count = kMmuModeCount,
        .space_dependent_modes = kSpaceDependentModes,
        .max_insn_size = 4,
        .min_insn_size = 2,
        .globals = global_table().data(),
        .global_count = static_cast<uint32_t>(global_table().size()),
        .helpers = helper_table().data(),
        .helper_count = static_cast<uint32_t>(helper_table().size()),
        .translate = translate,
        .run = run,
        .disassemble = disassemble,
        .reset = reset,
        .tb_flags = tb_flags,
        .fetch_mmu_mode = fetch_mmu_mode,
        .fp_rounding = fp_rounding,
        .address_space = address_space,
        .walk = walk,
        .unaligned_access = unaligned_access,
        .bus_error = bus_error,
        .deliver = deliver,
        .take_interrupt = take_interrupt,
        .has_work = has_work,
        .dump_registers = dump_registers,
    };
    return kArch;
}

}  // namespace weft::riscv
