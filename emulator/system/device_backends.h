// What devices refer to by an id besides images: made from the options, and tied to the devices.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "emulator/backend/fs/fs_backend.h"
#include "emulator/backend/net/net_backend.h"
#include "emulator/backend/rng/rng_backend.h"
#include "emulator/hw/core/device_type.h"
#include "emulator/system/options.h"

namespace weft::sys {

// Outlives the machine whose devices it is tied to.
class DeviceBackends {
  public:
    // Opens what devices use, and nothing else: files are not even looked at where no device refers to them.
    static Result<DeviceBackends> open(const Options& options);

    // Ties a device to what it refers to.
    void connect(hw::DeviceConfig& device) const;
    // Those that devices are tied to.
    std::vector<backend::NetBackend*> networks() const;

  private:
    // By their ids.
    std::map<std::string, std::unique_ptr<backend::RngBackend>> rngs_;
    std::map<std::string, std::unique_ptr<backend::NetBackend>> networks_;
    std::map<std::string, std::unique_ptr<backend::FsBackend>> folders_;
};

}  // namespace weft::sys
