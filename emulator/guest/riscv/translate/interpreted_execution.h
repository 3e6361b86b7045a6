// Running instructions without translating them: GuestArch::run.
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/isa/insn_table.h"
#include "weft/guest.h"

namespace weft::riscv {

// GuestArch::run.
RunResult run(void* state, uint64_t tb_flags, const uint8_t* code, uint32_t size);

// Whether run() takes the instruction on.
bool runs_untranslated(const InsnDesc& desc);

}  // namespace weft::riscv
