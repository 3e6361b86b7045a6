#include "emulator/system/device_backends.h"

#include <algorithm>

#include "emulator/backend/fs/local_folder.h"
#include "emulator/backend/net/line_net.h"
#include "emulator/backend/net/user_net.h"
#include "emulator/backend/rng/rng_host.h"

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

Result<DeviceBackends> DeviceBackends::open(const Options& options) {
    DeviceBackends backends;
    for (const DeviceChoice& device : options.devices) {
        const std::string id = device.config.reference(hw::PropertyKind::rng);
        const auto object = std::ranges::find(options.objects, id, &ObjectChoice::id);
        if (object == options.objects.end() || backends.rngs_.contains(id)) {
            continue;
        }
        Result<std::unique_ptr<backend::RngBackend>> rng = open_rng(*object);
        if (!rng) {
            return std::unexpected(rng.error());
        }
        backends.rngs_.emplace(id, std::move(*rng));
    }
    const auto library = std::make_shared<backend::SlirpLibrary>();
    for (const DeviceChoice& device : options.devices) {
        const std::string id = device.config.reference(hw::PropertyKind::netdev);
        const auto network = std::ranges::find(options.networks, id, &NetworkChoice::id);
        if (network == options.networks.end()) {
            continue;
        }
        Result<std::unique_ptr<backend::NetBackend>> made = open_network(*network, library);
        if (!made) {
            return std::unexpected(made.error().within("-netdev"));
        }
        backends.networks_.emplace(id, std::move(*made));
    }
    for (const DeviceChoice& device : options.devices) {
        const std::string id = device.config.reference(hw::PropertyKind::fsdev);
        const auto choice = std::ranges::find(options.folders, id, &FolderChoice::id);
        if (choice == options.folders.end() || backends.folders_.contains(id)) {
            continue;
        }
        Result<std::unique_ptr<backend::LocalFolder>> folder = backend::LocalFolder::open(choice->folder);
        if (!folder) {
            return std::unexpected(folder.error().within("-fsdev"));
        }
        backends.folders_.emplace(id, std::move(*folder));
    }
    return backends;
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
