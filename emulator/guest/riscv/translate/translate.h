// From RISC-V code to IR.
//
// guest/riscv/translate is what instructions do, written once: as IR by the translator, at once by the interpreter, and the
// helpers that both leave the rest to. guest_arch alone uses it; it knows isa/ and cpu/.
#pragma once

#include "emulator/guest/riscv/cpu/tb_flags.h"
#include "weft/guest.h"

namespace weft::riscv {

// Most instructions of a unit, whatever the request allows.
inline constexpr uint32_t kMaxUnitInsns = 128;

// GuestArch::translate; request->model is a CpuModel. `unit` has the table of globals.h as its first temps. Any thread; depends on nothing
// but the request.
TranslateStatus translate(const TranslateRequest* request, ir::Unit* unit);

}  // namespace weft::riscv
