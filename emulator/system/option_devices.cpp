// -device and -global.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/hw/device_types.h"
#include "emulator/system/option_json.h"
#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

// The board's own part or the device of that name; null: there is none.
const hw::DeviceType* find_driver(const hw::MachineType& machine, const std::string& name) {
    const auto part = std::ranges::find(machine.parts, name, &hw::DeviceType::name);
    return part != machine.parts.end() ? *part : hw::find_device_type(name);
}

// What -global says of that type, in the order of the command line.
std::vector<KeyValue> globals_of(const Options& options, const hw::DeviceType& type) {
    std::vector<KeyValue> items;
    for (const GlobalChoice& global : options.globals) {
        if (global.driver == type.name) {
            items.push_back(global.item);
        }
    }
    return items;
}

Result<> check_globals(const RawOptions& raw) {
    for (const GlobalChoice& global : raw.options.globals) {
        const hw::DeviceType* type = find_driver(*raw.options.machine, global.driver);
        if (type == nullptr) {
            return fail(fmt::format("-global: there is no device {}", in_quotes(global.driver)));
        }
        // What makes each device another cannot be the same for all.
        if (global.item.key == "id" || global.item.key == "bus" || global.item.key == "addr") {
            return fail(fmt::format("-global: device {} has no property {}", in_quotes(global.driver),
                                    in_quotes(global.item.key)));
        }
        if (Result<> valid = hw::DeviceConfig::check(*type, global.item); !valid) {
            return std::unexpected(valid.error().within("-global"));
        }
    }
    return {};
}

Result<> choose_parts(RawOptions& raw) {
    for (const hw::DeviceType* part : raw.options.machine->parts) {
        if (const std::vector<KeyValue> items = globals_of(raw.options, *part); !items.empty()) {
            Result<hw::DeviceConfig> config = hw::DeviceConfig::parse(*part, items);
            if (!config) {
                return std::unexpected(config.error().within("-global"));
            }
            raw.options.parts.push_back(std::move(*config));
        }
    }
    return {};
}

// The device, with what -global says of its kind where it says nothing itself.
Result<hw::DeviceConfig> make_config(const Options& options, const hw::DeviceType& type,
                                     std::span<const KeyValue> own) {
    std::vector<KeyValue> items = globals_of(options, type);
    items.insert(items.end(), own.begin(), own.end());
    return hw::DeviceConfig::parse(type, items);
}

// The disks that the board makes of drives with if=virtio.
Result<> attach_drives(RawOptions& raw, std::vector<bool>& used) {
    Options& options = raw.options;
    for (size_t i = 0; i < options.drives.size(); ++i) {
        if (options.drives[i].attach) {
            hw::DeviceConfig config(*options.machine->disk);
            if (const auto items = globals_of(options, *options.machine->disk); !items.empty()) {
                // Of the disk's own properties, only the drive must be given.
                std::vector<KeyValue> all = {{"drive", "attached"}};
                all.insert(all.end(), items.begin(), items.end());
                Result<hw::DeviceConfig> made = hw::DeviceConfig::parse(*options.machine->disk, all);
                if (!made) {
                    return std::unexpected(made.error().within("-global"));
                }
                config = std::move(*made);
            }
            options.devices.push_back({std::move(config), i});
            used[i] = true;
        }
    }
    return {};
}

// By index: images of flash memories and of the devices that there are.
std::vector<bool> used_drives(const Options& options) {
    std::vector<bool> used(options.drives.size(), false);
    for (const std::optional<size_t>& drive : options.flash) {
        if (drive) {
            used[*drive] = true;
        }
    }
    for (const DeviceChoice& device : options.devices) {
        if (device.drive) {
            used[*device.drive] = true;
        }
    }
    return used;
}

Result<std::optional<size_t>> find_drive(const Options& options, const std::string& id,
                                         std::vector<bool>& used) {
    if (id.empty()) {
        return std::nullopt;
    }
    const auto drive = std::ranges::find(options.drives, id, &DriveChoice::id);
    if (drive == options.drives.end()) {
        return fail(fmt::format("there is no drive with the id {}", in_quotes(id)));
    }
    const auto index = static_cast<size_t>(drive - options.drives.begin());
    if (used[index]) {
        return fail(fmt::format("drive {} is in use already{}", in_quotes(id),
                                drive->attach ? " (if=none leaves it to -device)" : ""));
    }
    used[index] = true;
    return index;
}

// By its name, or one that says whether it has virtio's legacy interface, as one of its properties does.
const hw::DeviceType* find_device(const std::string& name, std::vector<KeyValue>& items) {
    for (const hw::DeviceType* const type : hw::device_types()) {
        for (const hw::PciVariant& variant : hw::pci_variants(*type)) {
            if (name == type->name + std::string(variant.suffix)) {
                items.insert(items.begin(), {"disable-legacy", variant.disable_legacy});
                return type;
            }
        }
    }
    return hw::find_device_type(name);
}

// What the operator asks for, "the" balloon does: there is no name to tell two apart by.
Result<> check_balloons(const Options& options, unsigned more) {
    const auto there = std::ranges::count_if(
        options.devices, [](const DeviceChoice& device) { return hw::is_balloon(device.config.type()); });
    return there + more > 1 ? fail("a machine has one balloon at most") : Result<>();
}

}  // namespace

Result<> parse_device(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_option(value, "driver");
    if (!list) {
        return std::unexpected(list.error());
    }
    const std::optional<std::string>& name = list->head;
    std::vector<KeyValue> items = list->items;
    if (!name) {
        return fail("the device's name comes first: NAME[,property=value...]");
    }
    if (is_help(*name)) {
        request_help(raw, HelpTopic::devices);
        return {};
    }
    const bool wants_help =
        std::ranges::any_of(items, [](const KeyValue& item) { return !item.value && is_help(item.key); });
    const hw::DeviceType* type = *name == kLoaderType.name ? &kLoaderType : find_device(*name, items);
    if (type == nullptr) {
        return fail(fmt::format("unknown device {} (-device help lists them)", in_quotes(*name)));
    }
    if (wants_help) {
        request_help(raw, HelpTopic::device_properties, *name);
        return {};
    }
    if (type == &kLoaderType) {
        Result<LoadChoice> load = parse_loader(items);
        if (!load) {
            return std::unexpected(load.error());
        }
        raw.options.loads.push_back(std::move(*load));
        return {};
    }
    raw.devices.push_back({type, std::move(items)});
    return {};
}

// "DRIVER.PROPERTY=VALUE", or "driver=DRIVER,property=PROPERTY,value=VALUE" for drivers with a dot in their names.
Result<> parse_global(RawOptions& raw, const std::string& value) {
    GlobalChoice global;
    const size_t mark = value.find_first_of(".=");
    if (mark != std::string::npos && value[mark] == '.') {
        const size_t equals = value.find('=', mark);
        if (mark == 0 || equals == std::string::npos || equals == mark + 1) {
            return fail(fmt::format("{} is not DRIVER.PROPERTY=VALUE", in_quotes(value)));
        }
        global.driver = value.substr(0, mark);
        global.item = {value.substr(mark + 1, equals - mark - 1), value.substr(equals + 1)};
    } else {
        const Result<KeyValueList> list = parse_key_values(value, false);
        if (!list) {
            return std::unexpected(list.error());
        }
        for (const KeyValue& item : list->items) {
            if (item.key == "driver") {
                global.driver = item.value.value_or("");
            } else if (item.key == "property") {
                global.item.key = item.value.value_or("");
            } else if (item.key == "value") {
                global.item.value = item.value;
            } else {
                return fail(fmt::format("unknown parameter {} (there are driver, property and value)",
                                        in_quotes(item.key)));
            }
        }
        if (global.driver.empty() || global.item.key.empty() || !global.item.value) {
            return fail("needs DRIVER.PROPERTY=VALUE, or driver=, property= and value=");
        }
    }
    raw.options.globals.push_back(std::move(global));
    return {};
}

Result<DeviceChoice> make_device(const Options& options, const hw::DeviceType& type,
                                 std::span<const KeyValue> items) {
    Result<hw::DeviceConfig> config = make_config(options, type, items);
    if (!config) {
        return std::unexpected(config.error());
    }
    if (Result<> fits = hw::is_balloon(type) ? check_balloons(options, 1) : Result<>(); !fits) {
        return std::unexpected(fits.error());
    }
    std::vector<bool> used = used_drives(options);
    const Result<std::optional<size_t>> drive = find_drive(options, config->drive_id(), used);
    if (!drive) {
        return std::unexpected(drive.error());
    }
    for (const auto check : {check_object_reference, check_network_reference}) {
        if (Result<> there = check(options, *config); !there) {
            return std::unexpected(there.error());
        }
    }
    if (config->has_mac() && !config->mac()) {
        config->set_mac(free_mac(options.devices));
    }
    return DeviceChoice{std::move(*config), *drive};
}

Result<> choose_devices(RawOptions& raw) {
    Options& options = raw.options;
    Result<> done = check_globals(raw);
    done = done ? choose_parts(raw) : done;
    std::vector<bool> used = used_drives(options);
    done = done ? attach_drives(raw, used) : done;
    if (!done) {
        return done;
    }
    std::vector<hw::DeviceConfig> children;  // of other devices
    for (const RawOptions::Device& device : raw.devices) {
        Result<hw::DeviceConfig> config = make_config(options, *device.type, device.items);
        if (!config) {
            return std::unexpected(config.error().within("-device"));
        }
        if (config->type().bus == hw::Bus::virtio_serial) {
            children.push_back(std::move(*config));
            continue;
        }
        const Result<std::optional<size_t>> drive = find_drive(options, config->drive_id(), used);
        if (!drive) {
            return std::unexpected(drive.error().within("-device"));
        }
        options.devices.push_back({std::move(*config), *drive});
    }
    for (hw::DeviceConfig& child : children) {
        if (Result<> plugged = plug_into_device(options, std::move(child)); !plugged) {
            return std::unexpected(plugged.error().within("-device"));
        }
    }
    for (const DeviceChoice& device : options.devices) {
        const auto check = device.config.type().check;
        if (Result<> fits = check != nullptr ? check(device.config) : Result<>(); !fits) {
            return std::unexpected(fits.error().within("-device"));
        }
    }
    if (Result<> fits = check_balloons(options, 0); !fits) {
        return std::unexpected(fits.error().within("-device"));
    }
    if (options.devices.size() > options.machine->max_devices) {
        return fail(fmt::format("-drive and -device: the board has slots for {} devices, not {}",
                                options.machine->max_devices, options.devices.size()));
    }
    std::vector<hw::DeviceConfig> configs;
    std::ranges::transform(options.devices, std::back_inserter(configs), &DeviceChoice::config);
    if (Result<> placed = options.machine->check_devices(configs); !placed) {
        return std::unexpected(placed.error().within("-device"));
    }
    return {};
}

}  // namespace weft::sys
