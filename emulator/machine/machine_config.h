// What a machine is to be, besides its board's plan: no word of how it was asked for.
#pragma once

#include "emulator/hw/core/board.h"

namespace weft::machine {

struct MachineConfig {
    unsigned max_cpus = 1;       // CPUs that the accelerator prepares for: at least the board's
    bool no_reboot = false;      // a reset ends the machine
    bool start_stopped = false;  // vCPUs wait for MachineOperations::set_running
    hw::BoardBackends backends;  // outlive the machine
};

}  // namespace weft::machine
