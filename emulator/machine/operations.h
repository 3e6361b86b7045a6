// What those who attend to a machine may do to it while it exists: the monitor now; whatever else controls a machine from
// outside uses the same.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "emulator/hw/core/device_type.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/machine/migration_operations.h"
#include "emulator/machine/snapshot_operations.h"
#include "weft/guest.h"

namespace weft::machine {

// Why a machine ends or is reset.
enum class MachineCause : uint8_t {
    guest_shutdown,
    guest_reset,
    operator_quit,
    operator_reset,
    signal,
    failure,  // of weft's, which was told as an error
};

// Who is told what happens to a machine. On the main loop's thread; may neither change the machine nor its list of listeners.
class MachineListener {
  public:
    virtual ~MachineListener() = default;
    // vCPUs run from here on, or have stopped: not for the moments in which they are looked at.
    virtual void running_changed(bool running) = 0;
    virtual void was_reset(MachineCause cause) = 0;
    // The main loop ends after this.
    virtual void ends(MachineCause cause) = 0;
    // The guest ended the machine, which stays as it is; running_changed() follows.
    virtual void shut_down(MachineCause cause) = 0;
    virtual void powerdown_requested() = 0;
    // The device is no more, nor does it use what it was connected to.
    virtual void device_gone(const hw::DeviceConfig& device) = 0;
    // What the guest's driver says of the balloon (MachineOperations::balloon).
    virtual void balloon_changed() = 0;
    // A transfer of the machine has another status, where MigrationOperations::tell_status() has asked for it.
    virtual void migration_changed(MigrationInfo::Status) {}
};

// All of it is called on the main loop's thread.
class MachineOperations {
  public:
    virtual ~MachineOperations() = default;

    virtual void quit() = 0;
    virtual void system_reset() = 0;
    // Presses the power button, which no board has: listeners alone hear of it.
    virtual void system_powerdown() = 0;
    // Lets the vCPUs run or stops them; nothing where they do already. Fails where the accelerator cannot run, and where the guest
    // ended the machine: a reset comes before it runs again.
    virtual Result<> set_running(bool running) = 0;
    virtual bool running() const = 0;
    // Whether the vCPUs have ever run.
    virtual bool started() const = 0;
    // Whether the guest ended the machine, and nobody has reset it since (MachineConfig::no_shutdown).
    virtual bool shut_down() const = 0;

    // Adds a device whose bus takes one while the machine is there; what it is connected to outlives it. Fails, saying why, where it
    // cannot be added.
    virtual Result<> plug(const hw::DeviceConfig& device) = 0;
    // Asks the guest to let go of the device `id`, which is there; MachineListener::device_gone() tells when it has.
    virtual Result<> ask_to_release(const std::string& id) = 0;

    // The device by which the guest gives RAM back; null: there is none.
    virtual hw::Balloon* balloon() = 0;

    // As QMP names it: running, paused, prelaunch, shutdown; inmigrate, while a saved machine is awaited; postmigrate, since it was sent.
    virtual const char* run_state() const {
        return shut_down() ? "shutdown" : running() ? "running" : started() ? "paused" : "prelaunch";
    }
    // Null: there is nothing to save or load.
    virtual MigrationOperations* migrations() { return nullptr; }
    virtual SnapshotOperations* snapshots() { return nullptr; }

    virtual unsigned cpu_count() const = 0;
    // The registers of CPU `cpu`, which is below cpu_count(), as its architecture writes them. Stops running vCPUs meanwhile,
    // as dump_cpus() does.
    virtual void dump_registers(unsigned cpu, const TextSink& sink) = 0;
    // A line a CPU: its name on the board, its pc and what the accelerator says of it.
    virtual void dump_cpus(const TextSink& sink) = 0;
    // What is seen at each guest-physical address, or the regions that it is made of.
    virtual void dump_memory(bool flat, const TextSink& sink) = 0;
    // The accelerator's own report. Fails where it has none by that name.
    virtual Result<> dump_accelerator(const std::string& topic, const TextSink& sink) = 0;
    // Reads RAM and ROM, from no device: at guest-physical addresses, or at the virtual ones that CPU `cpu` sees. Stops running
    // vCPUs meanwhile. Fails at the first byte that cannot be had.
    virtual Result<> read_memory(std::optional<unsigned> cpu, uint64_t address, std::span<uint8_t> data) = 0;
    // A line an instruction, as far as the bytes reach; `address` is that of the first.
    virtual void disassemble(std::span<const uint8_t> code, uint64_t address, const TextSink& sink) = 0;

    // Listeners are called in the order in which they came, and go before the machine does.
    virtual void add_listener(MachineListener& listener) = 0;
    virtual void remove_listener(MachineListener& listener) = 0;
};

}  // namespace weft::machine
