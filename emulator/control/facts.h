// What those who attend to a machine may ask: what the user asked for, and what this program could make. Filled in by the program, and
// for the main loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "emulator/control/descriptors.h"
#include "emulator/control/device_operations.h"
#include "emulator/hw/core/board.h"

namespace weft::control {

// A line of characters that is open.
struct CharFacts {
    std::string label;  // its -chardev's id, or serial0, compat_monitor0 and so on
    std::string
        filename;  // as QEMU writes it: stdio, null, file, pty:PATH, unix:PATH,server=on, disconnected:tcp:HOST:PORT
};

struct DiskFacts {
    std::string name;  // the -drive's id, or virtioN
    std::string file;
    uint64_t size = 0;  // bytes
    bool read_only = false;
    bool snapshot = false;       // writes go elsewhere
    bool write_through = false;  // no cache
    std::string format = "raw";
};

struct NetworkFacts {
    std::string id;
    std::string type;  // user
};

struct MachineFacts {
    std::string version;                       // weft's: "1.2.3"
    std::string architecture;                  // "riscv64"
    std::string accelerator = "tcg";           // that runs
    std::string name = {};                     // -name; empty: none
    std::string uuid = {};                     // -uuid; empty: none
    const hw::MachineType* machine = nullptr;  // null: -machine none
    std::string cpu_model = {};
    uint64_t memory_bytes = 0;
    // Disks and networks change with what comes and goes, on the main loop's thread.
    std::vector<DiskFacts> disks = {};
    std::vector<NetworkFacts> networks = {};
    std::vector<std::string> iothreads = {};              // the ids of -object iothread
    DeviceOperations* devices = nullptr;                  // null: nothing comes or goes
    Descriptors* descriptors = nullptr;                   // null: nobody could use any
    std::function<std::vector<CharFacts>()> chars = {};   // those that are open now
    std::span<const hw::MachineType> machine_types = {};  // the first is the default
    std::span<const hw::DeviceType* const> device_types = {};
    std::vector<std::string> option_names = {};  // of options that take a value, without dashes
};

// Of a machine with `memory` bytes of RAM: how many pages the balloon is to have so that the guest is left with `wanted` bytes, at most
// all; and what it leaves the guest now.
uint32_t balloon_pages(uint64_t memory, uint64_t wanted);
uint64_t memory_left(uint64_t memory, hw::Balloon& balloon);

// What -uuid says, or zeros.
std::string uuid_or_zeros(const MachineFacts& facts);

// The host's thread that runs a CPU, by its name; the process's own where several CPUs share one.
int cpu_thread_id(unsigned cpu);

}  // namespace weft::control
