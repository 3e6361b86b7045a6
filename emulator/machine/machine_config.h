// What a machine is to be, besides its board's plan: no word of how it was asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "emulator/hw/core/board.h"

namespace weft::machine {

// A disk or flash memory, by the name that messages use.
struct NamedDisk {
    std::string name;
    backend::BlockBackend* disk = nullptr;
};

// The wall clock that devices see.
struct WallClock {
    std::optional<int64_t> start_s =
        {};                    // what it shows at first, in seconds since 1970; else the host's clock
    int64_t offset_s = 0;      // is added
    bool follows_host = true;  // whether later changes of the host's clock are seen
};

struct MachineConfig {
    unsigned max_cpus = 1;   // CPUs that the accelerator prepares for: at least the board's
    bool no_reboot = false;  // a reset ends the machine
    bool no_shutdown =
        false;  // where the guest ends the machine it stays, without running (MachineOperations::shut_down)
    bool start_stopped = false;  // vCPUs wait for MachineOperations::set_running
    WallClock clock = {};
    // Where the machine comes from instead of beginning anew (MigrationOperations::receive); "defer": receive() says.
    std::optional<std::string> incoming = {};
    std::optional<std::string> snapshot = {};  // SnapshotOperations::load_snapshot before it runs
    std::vector<NamedDisk> disks = {};         // of the backends, for snapshots
    hw::BoardBackends backends;                // outlive the machine
};

}  // namespace weft::machine
