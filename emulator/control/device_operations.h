// What operators add to a machine and take away while it is there. Implemented by the program, which knows what options mean; the
// monitor and QMP use it.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace weft::control {

// The main loop's thread.
class DeviceOperations {
  public:
    virtual ~DeviceOperations() = default;

    enum class Kind { device, network, block_node, drive, object };

    // `description` is as the value of -device, -netdev, -blockdev, -drive or -object: a comma list, or a JSON object. A device is
    // there when this returns; the guest sees it when it looks.
    virtual Result<> add(Kind kind, const std::string& description) = 0;
    // Whether there is one of that name.
    virtual bool has(Kind kind, const std::string& name) const = 0;
    // Of a device: asks the guest to let go of it, and MachineListener::device_gone() tells when it has. Of others, which no device
    // uses: they are gone.
    virtual Result<> remove(Kind kind, const std::string& name) = 0;

    // The devices that have a name, and what kind of device each is.
    struct Named {
        std::string id;
        const char* type;
    };
    virtual std::vector<Named> named() const = 0;
};

}  // namespace weft::control
