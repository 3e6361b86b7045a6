#include "emulator/system/live_devices.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/open_path.h"
#include "emulator/system/machine_facts.h"
#include "emulator/system/option_files.h"
#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

// Others keep their places in the list.
void forget(DriveChoice& drive) {
    drive = DriveChoice();
    drive.attach = false;
}

}  // namespace

LiveDevices::LiveDevices(const Options& options, Drives& drives, DeviceBackends& backends,
                         control::MachineFacts& facts)
    : options_(options), drives_(drives), backends_(backends), facts_(facts) {}

void LiveDevices::attach(machine::MachineOperations& machine) {
    machine_ = &machine;
    machine.add_listener(*this);
    facts_.devices = this;
}

void LiveDevices::detach() {
    if (machine_ != nullptr) {
        machine_->remove_listener(*this);
        machine_ = nullptr;
        facts_.devices = nullptr;
    }
}

void LiveDevices::tell() {
    const control::MachineFacts now = machine_facts(options_, drives_);
    facts_.disks = now.disks;
    facts_.networks = now.networks;
    facts_.iothreads = now.iothreads;
}

Result<> LiveDevices::add(Kind kind, const std::string& description) {
    RawOptions raw;
    Result<> added;
    switch (kind) {
        case Kind::device:
            added = add_device(description);
            break;
        case Kind::block_node:
            added = add_block_node(description);
            break;
        case Kind::drive:
            added = add_drive(description);
            break;
        case Kind::network:
            raw.options.networks = options_.networks;
            added = parse_netdev(raw, description);
            if (added) {
                options_.networks = std::move(raw.options.networks);
            }
            break;
        case Kind::object:
            raw.options.objects = options_.objects;
            added = parse_object(raw, description);
            if (added) {
                options_.objects = std::move(raw.options.objects);
            }
            break;
    }
    tell();
    return added;
}

Result<> LiveDevices::add_device(const std::string& description) {
    RawOptions raw;
    if (Result<> parsed = parse_device(raw, description); !parsed) {
        return parsed;
    }
    if (raw.devices.empty()) {
        return fail(
            "a device is described by NAME[,property=value...], and is no request for help or to load a "
            "file");
    }
    Result<DeviceChoice> device = make_device(options_, *raw.devices[0].type, raw.devices[0].items);
    if (!device) {
        return std::unexpected(device.error());
    }
    if (!device->config.id().empty() && has(Kind::device, device->config.id())) {
        return fail(fmt::format("there is a device {} already", in_quotes(device->config.id())));
    }
    options_.devices.push_back(std::move(*device));
    Result<> plugged = plug(options_.devices.back());
    if (!plugged) {
        const DeviceChoice failed = options_.devices.back();
        options_.devices.pop_back();
        if (failed.drive) {
            drives_[*failed.drive].reset();
        }
        backends_.close_network(failed.config.reference(hw::PropertyKind::netdev));
    }
    return plugged;
}

// What it is connected to is opened now, as it is where the command line names it.
Result<> LiveDevices::plug(DeviceChoice& device) {
    if (device.drive) {
        auto opened = open_drive(options_.drives[*device.drive]);
        if (!opened) {
            return std::unexpected(opened.error());
        }
        drives_[*device.drive] = std::move(*opened);
        device.config.connect(*drives_[*device.drive]);
    }
    if (Result<> opened = backends_.open_for(options_, device.config); !opened) {
        return opened;
    }
    backends_.connect(device.config);
    return machine_->plug(device.config);
}

Result<> LiveDevices::add_block_node(const std::string& description) {
    if (Result<> added = sys::add_block_node(options_, description); !added) {
        return added;
    }
    drives_.resize(options_.drives.size());
    DriveChoice& drive = options_.drives.back();
    Result<> checked = check_drive(drive);
    if (!checked) {
        static_cast<void>(remove_drive(Kind::block_node, std::string(drive.id)));
    }
    return checked;
}

// Its image can be opened. A name /dev/fdset/N becomes that of a descriptor of ours, as the set's may be closed before the drive is
// opened for a device, and its number be another's then.
Result<> LiveDevices::check_drive(DriveChoice& drive) {
    if (facts_.descriptors != nullptr) {
        const Result<std::string> path = control::path_in_sets(facts_.descriptors->sets(), drive.file, true,
                                                               !drive.read_only && !drive.snapshot);
        if (!path) {
            return std::unexpected(path.error());
        }
        if (const std::optional<int> fd = descriptor_of_path(*path); fd && *path != drive.file) {
            UniqueFd copy(fcntl(*fd, F_DUPFD_CLOEXEC, 0));
            if (!copy) {
                return fail_errno(fmt::format("cannot keep {}", in_quotes(drive.file)));
            }
            drive.file = fmt::format("/proc/self/fd/{}", copy.get());
            kept_.push_back(std::move(copy));
        }
    }
    Result<> checked = backend::check_disk(drive.file, disk_access(drive));
    if (!checked) {
        release(drive);
    }
    return checked;
}

// The descriptor that was kept for it.
void LiveDevices::release(const DriveChoice& drive) {
    const std::optional<int> fd = descriptor_of_path(drive.file);
    std::erase_if(kept_, [&](const UniqueFd& kept) { return kept.get() == fd; });
}

Result<> LiveDevices::add_drive(const std::string& description) {
    RawOptions raw;
    raw.options.drives = options_.drives;
    if (Result<> parsed = parse_drive(raw, description); !parsed) {
        return parsed;
    }
    DriveChoice& drive = raw.options.drives.back();
    if (drive.attach || drive.flash || drive.id.empty()) {
        return fail("a drive that is added has if=none and an id, and a device is added for it");
    }
    if (Result<> checked = check_drive(drive); !checked) {
        return checked;
    }
    options_.drives.push_back(drive);
    drives_.emplace_back();
    return {};
}

std::optional<size_t> LiveDevices::drive_named(const std::string& name) const {
    const auto drive = std::ranges::find(options_.drives, name, &DriveChoice::id);
    return drive == options_.drives.end() || name.empty()
               ? std::nullopt
               : std::optional(static_cast<size_t>(drive - options_.drives.begin()));
}

bool LiveDevices::has(Kind kind, const std::string& name) const {
    if (name.empty()) {
        return false;  // nobody is called so: devices without an id have no name at all
    }
    switch (kind) {
        case Kind::device:
            return std::ranges::any_of(
                options_.devices, [&](const DeviceChoice& device) { return device.config.id() == name; });
        case Kind::network:
            return std::ranges::count(options_.networks, name, &NetworkChoice::id) != 0;
        case Kind::object:
            return std::ranges::count(options_.objects, name, &ObjectChoice::id) != 0;
        case Kind::block_node:
            return std::ranges::count(options_.block_nodes, name, &BlockNode::name) != 0;
        case Kind::drive: {
            const auto drive = drive_named(name);
            return drive && !options_.drives[*drive].node;
        }
    }
    return false;
}

std::vector<control::DeviceOperations::Named> LiveDevices::named() const {
    std::vector<Named> devices;
    for (const DeviceChoice& device : options_.devices) {
        if (!device.config.id().empty()) {
            devices.push_back({device.config.id(), device.config.type().name});
        }
    }
    return devices;
}

bool LiveDevices::in_use(hw::PropertyKind kind, const std::string& id) const {
    return std::ranges::any_of(options_.devices, [&](const DeviceChoice& device) {
        return !id.empty() && device.config.reference(kind) == id;
    });
}

// The board's RAM, or a disk's thread.
bool LiveDevices::object_in_use(const std::string& id) const {
    return std::ranges::count(options_.memory, id, &MemoryChoice::id) != 0 ||
           std::ranges::any_of(options_.devices,
                               [&](const DeviceChoice& device) { return iothread_of(device.config) == id; });
}

bool LiveDevices::in_use(size_t drive) const {
    return std::ranges::count(options_.devices, drive, &DeviceChoice::drive) != 0 ||
           std::ranges::count(options_.flash, drive) != 0;
}

Result<> LiveDevices::remove(Kind kind, const std::string& name) {
    if (!has(kind, name)) {
        return fail(fmt::format("there is no {} here", in_quotes(name)));
    }
    const auto used = [&] { return fail(fmt::format("{} is in use", in_quotes(name))); };
    switch (kind) {
        case Kind::device:
            return remove_device(name);
        case Kind::network:
            if (in_use(hw::PropertyKind::netdev, name)) {
                return used();
            }
            std::erase_if(options_.networks, [&](const NetworkChoice& one) { return one.id == name; });
            break;
        case Kind::object:
            if (in_use(hw::PropertyKind::rng, name) || object_in_use(name)) {
                return used();
            }
            backends_.close_rng(name);
            std::erase_if(options_.objects, [&](const ObjectChoice& one) { return one.id == name; });
            break;
        case Kind::block_node:
        case Kind::drive:
            if (Result<> removed = remove_drive(kind, name); !removed) {
                return removed;
            }
            break;
    }
    tell();
    return {};
}

Result<> LiveDevices::remove_drive(Kind kind, const std::string& name) {
    const std::optional<size_t> drive = drive_named(name);
    if (drive && in_use(*drive)) {
        return fail(fmt::format("{} is in use", in_quotes(name)));
    }
    const DriveChoice gone = drive ? options_.drives[*drive] : DriveChoice();
    if (kind == Kind::drive) {
        forget(options_.drives[*drive]);
        release(gone);
        return {};
    }
    Result<> removed = sys::remove_block_node(options_, name);
    if (removed) {
        release(gone);
    }
    drives_.resize(options_.drives.size());
    return removed;
}

Result<> LiveDevices::remove_device(const std::string& id) {
    const auto device = std::ranges::find_if(options_.devices,
                                             [&](const DeviceChoice& one) { return one.config.id() == id; });
    if (device->config.type().bus != hw::Bus::pci) {
        return fail(
            fmt::format("device {} stays as long as the machine (what is behind a pcie-root-port may go)",
                        in_quotes(id)));
    }
    return machine_->ask_to_release(id);
}

// A -drive goes with its device; a block node stays, and may be another device's. Other functions of a slot go with the one that was named, and
// may have no id: then the place behind the port is what they are known by.
void LiveDevices::device_gone(const hw::DeviceConfig& gone) {
    const auto device = std::ranges::find_if(options_.devices, [&](const DeviceChoice& one) {
        return one.config.id() == gone.id() && one.config.bus() == gone.bus() &&
               one.config.pci().address == gone.pci().address;
    });
    if (device == options_.devices.end()) {
        return;
    }
    if (device->drive) {
        drives_[*device->drive].reset();
        if (!options_.drives[*device->drive].node) {
            release(options_.drives[*device->drive]);
            forget(options_.drives[*device->drive]);
        }
    }
    backends_.close_network(gone.reference(hw::PropertyKind::netdev));
    options_.devices.erase(device);
    tell();
}

}  // namespace weft::sys
