// A board as the machine sees it: CPUs, memory and devices, without a word about the architecture.
//
// hw/core holds the interfaces between devices, boards and machines. Every device and board includes it, the machine
// implements MachineControl and uses Board; it knows memory, hw/boot and the backends' interfaces, and no device.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "emulator/backend/block/block_backend.h"
#include "emulator/backend/char/char_backend.h"
#include "emulator/hw/boot/boot_config.h"
#include "emulator/hw/core/debug_cpu.h"
#include "emulator/hw/core/device_type.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/core/saved_part.h"
#include "emulator/memory/ram_backing.h"
#include "emulator/memory/topology.h"
#include "weft/guest.h"

namespace weft::semihosting {
class Host;
}

namespace weft::hw {

// A CPU and what it sees. Belongs to its board.
class BoardCpu {
  public:
    virtual ~BoardCpu() = default;

    // VcpuConfig::guest: what Board::guest_arch() takes for a CPU.
    virtual void* guest() = 0;
    // VcpuConfig::address_space: the CPU's first one.
    virtual mem::AddressSpace& address_space() = 0;
    // Ties the CPU to its vCPU's state. Once, before any other thread knows the CPU.
    virtual void attach(void* state) = 0;
    // "hart 3": how its documentation and its guest number it.
    virtual std::string name() const = 0;
    // For a debugger, once the state is attached.
    virtual DebugCpu& debug() = 0;
    // Its state, as SavedPart::visit; on the vCPU's thread.
    virtual void visit_state(StateVisitor& visitor) = 0;
    virtual uint32_t state_version() const = 0;
};

// The owner makes a vCPU for every CPU and attaches its state before anything runs. Readers of the address spaces are
// destroyed, and timers and the I/O worker of the board's MachineControl stopped, before the board is.
class Board {
  public:
    virtual ~Board() = default;

    virtual const GuestArch& guest_arch() const = 0;
    virtual mem::Topology& topology() = 0;
    virtual unsigned cpu_count() const = 0;
    virtual BoardCpu& cpu(unsigned index) = 0;

    // Brings devices to their reset state, images back into memory and new random numbers into the device tree. All vCPUs are
    // paused and were reset before. Not needed before the first start.
    virtual void reset() = 0;

    // All parts but CPUs and memory, in the order in which they are loaded: before the CPUs.
    virtual std::vector<SavedPart> saved_parts() = 0;
    // What must be equal where a saved machine is loaded: names, and what they are here, a word or a line each.
    virtual std::vector<std::pair<std::string, std::string>> saved_facts() const = 0;

    // Makes /chosen/rng-seed, and what harts have for entropy, the same in every run from now on, and writes the device tree anew. While no vCPU runs.
    virtual void set_rng_seed(uint64_t seed) = 0;

    // Devices that come and go while the machine is there; the main loop's thread. plug(): one whose bus takes it; what it is connected
    // to outlives it. ask_to_release(): asks the guest to let go of the device `id`, and MachineControl::devices_released() tells when it has.
    // take_released(): ends those that guests have let go, and says what they were made from; no vCPU runs, and no I/O is under way.
    virtual Result<> plug(const DeviceConfig& device) = 0;
    virtual Result<> ask_to_release(const std::string& id) = 0;
    virtual std::vector<DeviceConfig> take_released() = 0;

    // The device tree as the guest gets it (dumpdtb).
    virtual const std::vector<uint8_t>& device_tree() const = 0;
};

// What lies behind a board's devices. The backends outlive the board.
struct BoardBackends {
    // What the board's RAM lies in, one behind the other, all of it; empty: in memory of its own. For the time until the board is made.
    std::vector<mem::RamBacking> ram;
    backend::CharBackend* serial = nullptr;  // null: nothing is connected
    std::vector<DeviceConfig> devices;  // -device and -drive, in the order of the command line; connected
    std::vector<DeviceConfig> parts;    // of MachineType::parts, those that -global changed
    std::vector<backend::BlockBackend*>
        flash;  // images, by unit; null: none. No more than MachineType::flashes
    std::vector<backend::NetBackend*>
        networks;  // those that devices are connected to: they run while the vCPUs do
    semihosting::Host* semihosting = nullptr;  // does its CPUs' calls; null: there are none
};

// A board that can be made: its files were read and its memory planned, nothing is opened and nothing allocated.
class BoardPlan {
  public:
    virtual ~BoardPlan() = default;

    // Makes the board, once. `control` outlives it.
    virtual Result<std::unique_ptr<Board>> build(const BoardBackends& backends, MachineControl& control) = 0;

    // The device tree, before build(); its random seed is zeros yet.
    virtual const std::vector<uint8_t>& device_tree() const = 0;
};

// A model of CPUs that -cpu names.
struct CpuChoice {
    std::string name;
    std::string description;
};

// A property of -machine that can only have these values here: what the board is anyway.
struct FixedProperty {
    const char* name;
    const char* values;  // with | between them
};

// A property of -machine that is on or off, and off where it is not given.
struct MachineSwitch {
    const char* name;
    bool BootConfig::* member;  // what it sets
};

// A kind of board that -machine names.
struct MachineType {
    const char* name;
    const char* description;
    unsigned max_cpus;
    size_t max_devices;      // that -drive and -device may add
    const DeviceType* disk;  // what -drive makes
    unsigned flashes;        // flash memories, which -drive if=pflash gives images
    std::span<const DeviceType* const>
        parts;  // what the board itself is made of, as far as -global changes it
    std::span<const FixedProperty> fixed;
    std::span<const MachineSwitch> switches;
    // Whether the board has the buses that these name, and room on them.
    Result<> (*check_devices)(std::span<const DeviceConfig> devices);
    std::vector<CpuChoice> (*cpu_models)();  // the first is the default
    // Whether there is the CPU "NAME[,PROPERTY=on|off...]". Says what cannot be had.
    Result<> (*check_cpu)(const std::string& cpu);
    // Says what does not fit or cannot be read.
    Result<std::unique_ptr<BoardPlan>> (*plan)(const BootConfig& config);
};

}  // namespace weft::hw
