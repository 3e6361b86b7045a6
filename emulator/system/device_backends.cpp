#include "emulator/system/device_backends.h"

#include <algorithm>

#include "emulator/backend/block/overlay.h"
#include "emulator/backend/fs/local_folder.h"
#include "emulator/backend/net/line_net.h"
#include "emulator/backend/net/user_net.h"
#include "emulator/backend/rng/rng_host.h"
#include "emulator/system/option_files.h"

namespace weft::sys {

namespace {

Result<std::unique_ptr<backend::RngBackend>> open_rng(const ObjectChoice& object) {
    if (object.kind == ObjectChoice::Kind::rng_builtin) {
        return std::make_unique<backend::RngKernel>();
    }
    Result<std::unique_ptr<backend::RngFile>> file = backend::RngFile::open(object.filename);
    if (!file) {
        return std::unexpected(file.error().within("-object"));
    }
    return std::move(*file);
}

Result<std::unique_ptr<backend::NetBackend>> open_network(
    const NetworkChoice& network, const std::shared_ptr<backend::SlirpLibrary>& library) {
    const auto made = [](auto result) {
        return result ? Result<std::unique_ptr<backend::NetBackend>>(std::move(*result))
                      : std::unexpected(result.error());
    };
    return network.line ? made(backend::LineNet::create(*network.line))
                        : made(backend::UserNet::create(network.user, library));
}

}  // namespace

Result<std::unique_ptr<backend::BlockBackend>> open_drive(const DriveChoice& drive) {
    Result<std::unique_ptr<backend::BlockBackend>> image = backend::open_disk(drive.file, disk_access(drive));
    if (!image) {
        return std::unexpected(image.error().within("-drive"));
    }
    if (!drive.snapshot || drive.read_only) {
        return image;
    }
    Result<std::unique_ptr<backend::Overlay>> overlay = backend::Overlay::create(std::move(*image));
    if (!overlay) {
        return std::unexpected(overlay.error().within("-snapshot"));
    }
    return std::move(*overlay);
}

Result<DeviceBackends> DeviceBackends::open(const Options& options) {
    DeviceBackends backends;
    backends.library_ = std::make_shared<backend::SlirpLibrary>();
    for (const DeviceChoice& device : options.devices) {
        if (Result<> opened = backends.open_for(options, device.config); !opened) {
            return std::unexpected(opened.error());
        }
    }
    return backends;
}

Result<> DeviceBackends::open_for(const Options& options, const hw::DeviceConfig& device) {
    const std::string rng_id = device.reference(hw::PropertyKind::rng);
    const auto object = std::ranges::find(options.objects, rng_id, &ObjectChoice::id);
    if (object != options.objects.end() && !rngs_.contains(rng_id)) {
        Result<std::unique_ptr<backend::RngBackend>> rng = open_rng(*object);
        if (!rng) {
            return std::unexpected(rng.error());
        }
        rngs_.emplace(rng_id, std::move(*rng));
    }
    const std::string network_id = device.reference(hw::PropertyKind::netdev);
    const auto network = std::ranges::find(options.networks, network_id, &NetworkChoice::id);
    if (network != options.networks.end()) {
        Result<std::unique_ptr<backend::NetBackend>> made = open_network(*network, library_);
        if (!made) {
            return std::unexpected(made.error().within("-netdev"));
        }
        networks_.emplace(network_id, std::move(*made));
    }
    const std::string folder_id = device.reference(hw::PropertyKind::fsdev);
    const auto choice = std::ranges::find(options.folders, folder_id, &FolderChoice::id);
    if (choice != options.folders.end() && !folders_.contains(folder_id)) {
        Result<std::unique_ptr<backend::LocalFolder>> folder = backend::LocalFolder::open(choice->folder);
        if (!folder) {
            return std::unexpected(folder.error().within("-fsdev"));
        }
        folders_.emplace(folder_id, std::move(*folder));
    }
    return {};
}

void DeviceBackends::connect(hw::DeviceConfig& device) const {
    const auto rng = rngs_.find(device.reference(hw::PropertyKind::rng));
    if (rng != rngs_.end()) {
        device.connect(*rng->second);
    }
    const auto network = networks_.find(device.reference(hw::PropertyKind::netdev));
    if (network != networks_.end()) {
        device.connect(*network->second);
    }
    const auto folder = folders_.find(device.reference(hw::PropertyKind::fsdev));
    if (folder != folders_.end()) {
        device.connect(*folder->second);
    }
}

std::vector<backend::NetBackend*> DeviceBackends::networks() const {
    std::vector<backend::NetBackend*> networks;
    for (const auto& [id, network] : networks_) {
        networks.push_back(network.get());
    }
    return networks;
}

}  // namespace weft::sys
