// The part of the options that the machine is told.
#pragma once

#include <ctime>
#include <optional>

#include "emulator/machine/machine_config.h"
#include "emulator/semihosting/host.h"
#include "emulator/system/options.h"

namespace weft::sys {

// What the guest's clock shows besides UTC, in seconds.
inline int64_t clock_offset_s(const RtcChoice& rtc) {
    if (rtc.base != RtcChoice::Base::local) {
        return 0;
    }
    const time_t now = time(nullptr);
    tm here{};
    return localtime_r(&now, &here) != nullptr ? here.tm_gmtoff : 0;
}

// Without the backends, which are opened from the options elsewhere.
inline machine::MachineConfig machine_config(const Options& options) {
    return {
        .max_cpus = options.max_cpus,
        .no_reboot = options.no_reboot,
        .no_shutdown = options.no_shutdown,
        .start_stopped = options.start_stopped,
        .clock = {.start_s = options.rtc.base == RtcChoice::Base::date ? std::optional(options.rtc.date_s)
                                                                       : std::nullopt,
                  .offset_s = clock_offset_s(options.rtc),
                  .follows_host = options.rtc.follows_host},
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
