// Devices that come and go while the machine is there, and what lies behind them: device_add and its kin. It goes on where the command
// line ended, with the same words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "emulator/control/device_operations.h"
#include "emulator/control/facts.h"
#include "emulator/machine/operations.h"
#include "emulator/system/device_backends.h"
#include "emulator/system/options.h"

namespace weft::sys {

// The main loop's thread.
class LiveDevices final : public control::DeviceOperations, private machine::MachineListener {
  public:
    // `drives` is by the index of Options::drives. All of it outlives the object, `facts` among it, which tells what is there now.
    LiveDevices(const Options& options, Drives& drives, DeviceBackends& backends,
                control::MachineFacts& facts);
    ~LiveDevices() override { detach(); }
    LiveDevices(const LiveDevices&) = delete;
    LiveDevices& operator=(const LiveDevices&) = delete;

    // The machine that devices are added to, until detach(), which comes before the machine's end.
    void attach(machine::MachineOperations& machine);
    void detach();

    // control::DeviceOperations
    Result<> add(Kind kind, const std::string& description) override;
    bool has(Kind kind, const std::string& name) const override;
    Result<> remove(Kind kind, const std::string& name) override;
    std::vector<Named> named() const override;

  private:
    // MachineListener
    void running_changed(bool) override {}
    void was_reset(machine::MachineCause) override {}
    void ends(machine::MachineCause) override {}
    void shut_down(machine::MachineCause) override {}
    void powerdown_requested() override {}
    void balloon_changed() override {}
    void device_gone(const hw::DeviceConfig& device) override;

    Result<> add_device(const std::string& description);
    Result<> plug(DeviceChoice& device);
    Result<> add_block_node(const std::string& description);
    Result<> add_drive(const std::string& description);
    Result<> check_drive(DriveChoice& drive);
    void release(const DriveChoice& drive);
    Result<> remove_device(const std::string& id);
    Result<> remove_drive(Kind kind, const std::string& name);
    std::optional<size_t> drive_named(const std::string& name) const;
    // Whether a device is connected to what that reference names.
    bool in_use(hw::PropertyKind kind, const std::string& id) const;
    bool in_use(size_t drive) const;
    bool object_in_use(const std::string& id) const;
    void tell();

    Options options_;
    std::vector<UniqueFd> kept_;  // of drives that were added by a name /dev/fdset/N
    Drives& drives_;
    DeviceBackends& backends_;
    control::MachineFacts& facts_;
    machine::MachineOperations* machine_ = nullptr;
};

}  // namespace weft::sys
