// The parts of a process as the program joins them: the RISC-V guest, the guest's memory, the host's signals.
#pragma once

#include "emulator/linux-user/run.h"

namespace weft::user {

// `guest`, of riscv::guest_arch_user(), outlives what is made of them.
Parts host_parts(const GuestArch& guest);

}  // namespace weft::user
