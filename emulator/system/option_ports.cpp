// Devices that are plugged into other devices, and the -chardev lines that devices name.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

using Kind = SerialChoice::Kind;

// Whether another part of the machine has the line already.
bool is_used(const RawOptions& raw, const std::string& id) {
    const Options& options = raw.options;
    const auto is_it = [&id](const SerialChoice& line) { return line.id == id; };
    const auto has_it = [&](const std::optional<SerialChoice>& line) { return line && is_it(*line); };
    return is_it(options.serial) || has_it(options.monitor) || has_it(options.gdb) ||
           std::ranges::any_of(options.qmp, is_it, &QmpChoice::line) ||
           (options.semihosting && has_it(options.semihosting->line)) ||
           std::ranges::any_of(options.device_lines, is_it);
}

bool terminal_is_taken(const Options& options) {
    return on_stdio(options.serial) || options.monitor_on_stdio || options.daemonize ||
           std::ranges::any_of(options.qmp, on_stdio, &QmpChoice::line) ||
           (options.gdb && on_stdio(*options.gdb)) ||
           (options.semihosting && options.semihosting->line && on_stdio(*options.semihosting->line)) ||
           std::ranges::any_of(options.device_lines, on_stdio);
}

Result<> choose_line(RawOptions& raw, const std::string& id) {
    SerialChoice line;
    line.id = id;
    if (Result<> found = look_up_chardev(raw, line); !found) {
        return found;
    }
    if (is_used(raw, id)) {
        return fail(fmt::format("chardev {} is used already", in_quotes(id)));
    }
    if (line.kind == Kind::mux_stdio || line.shared) {
        return fail(
            fmt::format("chardev {} can be shared by the serial port and the monitor alone", in_quotes(id)));
    }
    if (on_stdio(line) && terminal_is_taken(raw.options)) {
        return fail("stdio is another's (-serial null -monitor none)");
    }
    raw.options.device_lines.push_back(std::move(line));
    return {};
}

}  // namespace

// Buses are named as QEMU names them: ID.0 of a device with an id, and those of the others are counted.
Result<> plug_into_device(Options& options, hw::DeviceConfig child) {
    unsigned without_id = 0;
    for (DeviceChoice& device : options.devices) {
        if (device.config.type().own_bus != child.type().bus) {
            continue;
        }
        const std::string& id = device.config.id();
        const std::string bus = id.empty() ? fmt::format("virtio-serial-bus.{}", without_id++) : id + ".0";
        if (child.bus().empty() || child.bus() == bus) {
            device.config.children().push_back(std::move(child));
            return {};
        }
    }
    const std::string type = in_quotes(child.type().name);
    return fail(
        child.bus().empty()
            ? fmt::format("device {} needs a virtio-serial-device or a virtio-serial-pci", type)
            : fmt::format("device {}: there is no bus {} (a virtio-serial device's is virtio-serial-bus.N, "
                          "or ID.0 where it has an id)",
                          type, in_quotes(child.bus())));
}

Result<> choose_device_lines(RawOptions& raw) {
    for (const DeviceChoice& device : raw.options.devices) {
        for (const hw::DeviceConfig& child : device.config.children()) {
            const std::string id = child.reference(hw::PropertyKind::chardev);
            if (Result<> chosen = id.empty() ? Result<>() : choose_line(raw, id); !chosen) {
                return std::unexpected(chosen.error().within("-device"));
            }
        }
    }
    return {};
}

bool device_on_stdio(const RawOptions& raw) {
    return std::ranges::any_of(raw.devices, [&](const RawOptions::Device& device) {
        return std::ranges::any_of(device.items, [&](const KeyValue& item) {
            const auto line = item.key == "chardev" && item.value
                                  ? std::ranges::find(raw.chardevs, *item.value, &SerialChoice::id)
                                  : raw.chardevs.end();
            return line != raw.chardevs.end() && line->kind == Kind::stdio;
        });
    });
}

}  // namespace weft::sys
