// The part of the options that the machine is told.
#pragma once

#include "emulator/machine/machine_config.h"
#include "emulator/semihosting/host.h"
#include "emulator/system/options.h"

namespace weft::sys {

// Without the backends, which are opened from the options elsewhere.
inline machine::MachineConfig machine_config(const Options& options) {
    return {
        .max_cpus = options.max_cpus,
        .no_reboot = options.no_reboot,
        .start_stopped = options.start_stopped,
        .incoming = options.incoming,
        .snapshot = options.load_snapshot,
        .backends = {},
    };
}

// As QEMU makes it: what arg= says, or the kernel's name and what follows -append.
inline semihosting::HostConfig semihosting_config(const Options& options) {
    std::string line;
    if (options.semihosting->arguments.empty()) {
        line = options.kernel.value_or("");
        if (options.append && !options.append->empty()) {
            line += (line.empty() ? "" : " ") + *options.append;
        }
    }
    for (const std::string& argument : options.semihosting->arguments) {
        line += (line.empty() ? "" : " ") + argument;
    }
    return {.command_line = std::move(line), .user_mode = options.semihosting->user_mode};
}

}  // namespace weft::sys
