#include "emulator/guest/riscv/guest_arch.h"

#include "emulator/guest/riscv/cpu/dump_registers.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/guest/riscv/cpu/interrupts.h"
#include "emulator/guest/riscv/cpu/mmu.h"
#include "emulator/guest/riscv/cpu/reset.h"
#include "emulator/guest/riscv/cpu/tb_flags.h"
#include "emulator/guest/riscv/cpu/trap.h"
#include "emulator/guest/riscv/cpu/user_exception.h"
#include "emulator/guest/riscv/isa/disassemble.h"
#include "emulator/guest/riscv/translate/globals.h"
#include "emulator/guest/riscv/translate/helpers.h"
#include "emulator/guest/riscv/translate/interpreted_execution.h"
#include "emulator/guest/riscv/translate/translate.h"

namespace weft::riscv {

GuestArch guest_arch(const CpuModel& model) {
    return {
        .abi_version = kGuestAbiVersion,
        .ir_version = ir::kIrVersion,
        .name = "riscv64",
        .model = &model,
        .model_id = model_id(model),
        .state_size = sizeof(State),
        .mmu_mode_count = kMmuModeCount,
        .steady_modes = kSteadyModes,
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
        .memory_fault = nullptr,
        .deliver = deliver,
        .take_interrupt = take_interrupt,
        .interrupt_known = interrupt_known,
        .has_work = has_work,
        .dump_registers = dump_registers,
    };
}

GuestArch guest_arch_user(const CpuModel& model) {
    GuestArch arch = guest_arch(model);
    // U mode's, to which nothing is mapped but one address space.
    arch.mmu_mode_count = 1;
    arch.space_dependent_modes = 0;
    arch.reset = reset_user;
    arch.address_space = nullptr;
    arch.walk = nullptr;
    arch.bus_error = nullptr;
    arch.memory_fault = memory_fault;
    arch.deliver = leave_to_emulator;
    arch.take_interrupt = nullptr;
    arch.interrupt_known = nullptr;
    arch.has_work = nullptr;
    arch.dump_registers = dump_user_registers;
    return arch;
}

}  // namespace weft::riscv
