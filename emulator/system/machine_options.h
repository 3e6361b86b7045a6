// The part of the options that the machine is told.
#pragma once

#include "emulator/machine/machine_config.h"
#include "emulator/system/options.h"

namespace weft::sys {

// Without the backends, which are opened from the options elsewhere.
inline machine::MachineConfig machine_config(const Options& options) {
    return {
        .max_cpus = options.max_cpus,
        .no_reboot = options.no_reboot,
        .start_stopped = options.start_stopped,
        .backends = {},
    };
}

}  // namespace weft::sys
