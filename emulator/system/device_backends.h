// What devices refer to by an id besides images: made from the options, and tied to the devices.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "emulator/backend/block/block_backend.h"
#include "emulator/backend/fs/fs_backend.h"
#include "emulator/backend/net/net_backend.h"
#include "emulator/backend/rng/rng_backend.h"
#include "emulator/hw/core/device_type.h"
#include "emulator/system/options.h"

namespace weft::backend {
struct SlirpLibrary;
}

namespace weft::sys {

using Drives = std::vector<std::unique_ptr<backend::BlockBackend>>;

// The image of a drive, over a temporary file where it is to stay as it is.
Result<std::unique_ptr<backend::BlockBackend>> open_drive(const DriveChoice& drive);

// Outlives the machine whose devices it is tied to.
class DeviceBackends {
  public:
    // Opens what devices use, and nothing else: files are not even looked at where no device refers to them.
    static Result<DeviceBackends> open(const Options& options);

    // The same for one more device.
    Result<> open_for(const Options& options, const hw::DeviceConfig& device);
    // No device is tied to it any more; nothing where it is not open.
    void close_rng(const std::string& id) { rngs_.erase(id); }
    void close_network(const std::string& id) { networks_.erase(id); }

    // Ties a device to what it refers to.
    void connect(hw::DeviceConfig& device) const;
    // Those that devices are tied to.
    std::vector<backend::NetBackend*> networks() const;

  private:
    std::shared_ptr<backend::SlirpLibrary> library_;
    // By their ids.
    std::map<std::string, std::unique_ptr<backend::RngBackend>> rngs_;
    std::map<std::string, std::unique_ptr<backend::NetBackend>> networks_;
    std::map<std::string, std::unique_ptr<backend::FsBackend>> folders_;
};

}  // namespace weft::sys
