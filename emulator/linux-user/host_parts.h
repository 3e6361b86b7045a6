// The parts of a process as the program joins them: the RISC-V guest, the guest's memory, the host's signals.
#pragma once

#include "emulator/linux-user/run.h"

namespace weft::user {

Parts host_parts();

}  // namespace weft::user
