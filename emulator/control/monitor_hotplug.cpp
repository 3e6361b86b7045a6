// What comes and goes while the machine is there, as the monitor has it.
#include <fmt/format.h>

#include "base/text_values.h"
#include "emulator/control/monitor_commands.h"

namespace weft::control {

namespace {

using Kind = DeviceOperations::Kind;

Result<> add(const MonitorCall& call, Kind kind, const std::string& description) {
    return call.facts.devices != nullptr ? call.facts.devices->add(kind, description)
                                         : fail("there is no machine to add to");
}

Result<> remove(const MonitorCall& call, Kind kind) {
    const std::string& name = call.words[0];
    if (call.facts.devices == nullptr || !call.facts.devices->has(kind, name)) {
        return fail(fmt::format("there is no {}", in_quotes(name)));
    }
    return call.facts.devices->remove(kind, name);
}

}  // namespace

Result<> monitor_device_add(const MonitorCall& call) { return add(call, Kind::device, call.words[0]); }
Result<> monitor_netdev_add(const MonitorCall& call) { return add(call, Kind::network, call.words[0]); }
Result<> monitor_object_add(const MonitorCall& call) { return add(call, Kind::object, call.words[0]); }

// The first word is the place of a card with disks, of QEMU's early days.
Result<> monitor_drive_add(const MonitorCall& call) { return add(call, Kind::drive, call.words.back()); }

Result<> monitor_device_del(const MonitorCall& call) { return remove(call, Kind::device); }
Result<> monitor_netdev_del(const MonitorCall& call) { return remove(call, Kind::network); }
Result<> monitor_object_del(const MonitorCall& call) { return remove(call, Kind::object); }
Result<> monitor_drive_del(const MonitorCall& call) { return remove(call, Kind::drive); }

}  // namespace weft::control
