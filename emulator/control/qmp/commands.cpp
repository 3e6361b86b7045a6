#include "emulator/control/qmp/commands.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::control::qmp {

namespace {

constexpr Parameter kEnable[] = {{"enable", Kind::array, true}};
constexpr Parameter kCommandLine[] = {{"command-line", Kind::text, false},
                                      {"cpu-index", Kind::integer, true}};
constexpr Parameter kMemsave[] = {{"val", Kind::integer, false},
                                  {"size", Kind::integer, false},
                                  {"filename", Kind::text, false},
                                  {"cpu-index", Kind::integer, true}};
constexpr Parameter kPmemsave[] = {
    {"val", Kind::integer, false}, {"size", Kind::integer, false}, {"filename", Kind::text, false}};
constexpr Parameter kOption[] = {{"option", Kind::text, true}};
constexpr Parameter kListTypes[] = {{"implements", Kind::text, true}, {"abstract", Kind::boolean, true}};
constexpr Parameter kTypename[] = {{"typename", Kind::text, false}};
constexpr Parameter kPath[] = {{"path", Kind::text, false}};
constexpr Parameter kPathProperty[] = {{"path", Kind::text, false}, {"property", Kind::text, false}};
constexpr Parameter kFlat[] = {{"flat", Kind::boolean, true}};
constexpr Parameter kValue[] = {{"value", Kind::integer, false}};
constexpr Parameter kId[] = {{"id", Kind::text, false}};
// There is one way to save a machine: what the last three ask for is refused where it is another.
constexpr Parameter kMigrate[] = {{"uri", Kind::text, false},
                                  {"detach", Kind::boolean, true},
                                  {"resume", Kind::boolean, true},
                                  {"blk", Kind::boolean, true},
                                  {"inc", Kind::boolean, true}};
constexpr Parameter kUri[] = {{"uri", Kind::text, false}};
// What clients set: there is no second machine that would be kept waiting.
constexpr Parameter kMigrateParameters[] = {{"max-bandwidth", Kind::integer, true},
                                            {"downtime-limit", Kind::integer, true},
                                            {"avail-switchover-bandwidth", Kind::integer, true}};
constexpr Parameter kFdName[] = {{"fdname", Kind::text, false}};
constexpr Parameter kAddFd[] = {{"fdset-id", Kind::integer, true}, {"opaque", Kind::text, true}};
constexpr Parameter kRemoveFd[] = {{"fdset-id", Kind::integer, false}, {"fd", Kind::integer, true}};
constexpr Parameter kCapabilities[] = {{"capabilities", Kind::array, false}};
constexpr Parameter kNodeName[] = {{"node-name", Kind::text, false}};
// Besides the properties of what is made.
constexpr Parameter kNetdevAdd[] = {{"type", Kind::text, false}, {"id", Kind::text, false}};
constexpr Parameter kBlockdevAdd[] = {{"driver", Kind::text, false}, {"node-name", Kind::text, true}};
constexpr Parameter kObjectAdd[] = {{"qom-type", Kind::text, false}, {"id", Kind::text, false}};
constexpr Parameter kDeviceAdd[] = {
    {"driver", Kind::text, false}, {"bus", Kind::text, true}, {"id", Kind::text, true}};

// Sent once, and dealt with by the session before anything else is.
Answer negotiate(Subject&, const Json&) { return Json::object(); }

constexpr Command kCommands[] = {
    {"qmp_capabilities", kEnable, "ends the negotiation; there is no capability to enable", negotiate},
    {"query-version", {}, "the version of QEMU's interface, and weft's", query_version},
    {"query-commands", {}, "the names of these commands", query_commands},
    {"query-command-line-options", kOption, "the options, without their parameters",
     query_command_line_options},
    {"query-qmp-schema",
     {},
     "commands with their arguments, and events; answers are of any type",
     query_qmp_schema},
    {"query-status", {}, "whether the machine runs", query_status},
    {"query-name", {}, "what `-name` says", query_name},
    {"query-uuid", {}, "what `-uuid` says", query_uuid},
    {"query-kvm", {}, "that there is none", query_kvm},
    {"query-accelerators", {}, "the accelerator", query_accelerators},
    {"query-target", {}, "the guest's architecture", query_target},
    {"query-machines", {}, "the boards", query_machines},
    {"query-current-machine", {}, "that the guest cannot be woken up", query_current_machine},
    {"query-cpus-fast", {}, "the CPUs and the host's threads that run them", query_cpus_fast},
    {"query-hotpluggable-cpus", {}, "none", nothing_of_the_kind},
    {"query-cpu-definitions", {}, "the models of CPUs", query_cpu_definitions},
    {"query-memory-size-summary", {}, "the size of RAM", query_memory_size_summary},
    {"query-memdev", {}, "the RAM", query_memdev},
    {"query-memory-devices", {}, "none", nothing_of_the_kind},
    {"query-chardev", {}, "the lines of serial port, monitors and QMP", query_chardev},
    {"query-block", {}, "the disks", query_block},
    {"query-named-block-nodes", kFlat, "the disks' images", query_named_block_nodes},
    {"query-block-jobs", {}, "none", nothing_of_the_kind},
    {"query-jobs", {}, "none", nothing_of_the_kind},
    {"query-iothreads", {}, "the objects of that kind, which nothing waits for", query_iothreads},
    {"query-mice", {}, "none", nothing_of_the_kind},
    {"migrate", kMigrate, "saves the machine to `file:`, `exec:`, `unix:`, `tcp:` or `fd:`; returns at once",
     migrate},
    {"migrate_cancel", {}, "ends that; the machine goes on", migrate_cancel},
    {"migrate-incoming", kUri, "loads a machine from there, with `-incoming defer`", migrate_incoming},
    {"migrate-set-capabilities", kCapabilities, "turns `events` on or off", migrate_set_capabilities},
    {"query-migrate", {}, "how far the machine is saved or loaded", query_migrate},
    {"query-migrate-capabilities", {}, "`events`, and whether it is on", query_migrate_capabilities},
    {"migrate-set-parameters", kMigrateParameters,
     "limits of how fast the machine is sent, which change nothing: it is stopped meanwhile",
     migrate_set_parameters},
    {"query-migrate-parameters", {}, "that there are no limits", query_migrate_parameters},
    {"getfd", kFdName,
     "gives a descriptor that comes with it a name, for `migrate` and `migrate-incoming` of `fd:NAME`",
     getfd},
    {"closefd", kFdName, "closes one that nobody used", closefd},
    {"add-fd", kAddFd, "puts a descriptor that comes with it into a set, which is opened as `/dev/fdset/N`",
     add_fd},
    {"remove-fd", kRemoveFd, "takes one, or all, out of a set", remove_fd},
    {"query-fdsets", {}, "the sets of descriptors", query_fdsets},
    {"query-tpm-models", {}, "none", nothing_of_the_kind},
    {"query-tpm-types", {}, "none", nothing_of_the_kind},
    {"query-balloon", {}, "the RAM that the guest's balloon leaves it", query_balloon},
    {"balloon", kValue, "asks the guest to do with so many bytes of RAM", balloon},
    {"qom-list-types", kListTypes, "the kinds of devices, CPUs and boards", qom_list_types},
    {"qom-list", kPath, "properties of the machine, or the devices that have names", qom_list},
    {"qom-get", kPathProperty, "the type of the machine or of a device", qom_get},
    {"qom-list-properties", kTypename, "the properties of a kind of objects", qom_list_properties},
    {"device-list-properties", kTypename, "the properties of a kind of devices", device_list_properties},
    {"x-accel-stats", {}, "the accelerator's report, as `info jit`", x_accel_stats},
    {"stop", {}, "stops all CPUs", stop},
    {"cont", {}, "lets them run", cont},
    {"quit", {}, "ends the emulator", quit},
    {"system_reset", {}, "resets the machine", system_reset},
    {"system_powerdown", {}, "an event and nothing else: the board has no power button", system_powerdown},
    {"system_wakeup", {}, "an error: the guest cannot be suspended", system_wakeup},
    {"inject-nmi", {}, "an error: the board has none", inject_nmi},
    {"device_add", kDeviceAdd, "adds a device behind a root port", device_add, true},
    {"device_del", kId, "asks the guest to let go of a device behind a root port", device_del},
    {"netdev_add", kNetdevAdd, "adds a network, as `-netdev`", netdev_add, true},
    {"netdev_del", kId, "removes one that no device uses", netdev_del},
    {"blockdev-add", kBlockdevAdd, "adds a node, as `-blockdev`", blockdev_add, true},
    {"blockdev-del", kNodeName, "removes one that nothing uses", blockdev_del},
    {"object-add", kObjectAdd, "adds an object, as `-object`", object_add, true},
    {"object-del", kId, "removes one that no device uses", object_del},
    {"human-monitor-command", kCommandLine, "a command of the monitor, and its text", human_monitor_command},
    {"memsave", kMemsave, "writes memory at virtual addresses of a CPU into a file", memsave},
    {"pmemsave", kPmemsave, "writes memory at physical addresses into a file", pmemsave},
};

constexpr Parameter kCause[] = {{"guest", Kind::boolean, false}, {"reason", Kind::text, false}};
constexpr Parameter kDeleted[] = {{"device", Kind::text, false}, {"path", Kind::text, false}};
constexpr Parameter kActual[] = {{"actual", Kind::integer, false}};
constexpr Parameter kStatus[] = {{"status", Kind::text, false}};

constexpr Event kEvents[] = {
    {"STOP", {}, "the CPUs have stopped"},
    {"RESUME", {}, "the CPUs run again"},
    {"RESET", kCause, "the machine was reset"},
    {"SHUTDOWN", kCause,
     "the machine ends, and the emulator with it; with `-no-shutdown` it stays where the guest ends it"},
    {"POWERDOWN", {}, "`system_powerdown` was asked for"},
    {"DEVICE_DELETED", kDeleted, "the guest has let go of a device, which is no more"},
    {"BALLOON_CHANGE", kActual, "the guest's balloon leaves it so many bytes of RAM"},
    {"MIGRATION", kStatus, "how far the machine is saved or loaded, with the capability `events`"},
};

bool is_of(const Json& value, Kind kind) {
    switch (kind) {
        case Kind::boolean:
            return value.is_boolean();
        case Kind::integer:
            return value.is_number_integer();
        case Kind::text:
            return value.is_string();
        case Kind::array:
            return value.is_array();
    }
    return false;
}

const char* name_of(Kind kind) {
    switch (kind) {
        case Kind::boolean:
            return "boolean";
        case Kind::integer:
            return "integer";
        case Kind::text:
            return "string";
        case Kind::array:
            return "array";
    }
    return "";
}

}  // namespace

std::span<const Command> commands() { return kCommands; }
std::span<const Event> events() { return kEvents; }

const Command* find_command(std::string_view name) {
    const auto found = std::ranges::find(kCommands, name, &Command::name);
    return found == std::end(kCommands) ? nullptr : found;
}

std::expected<void, Failure> check_arguments(const Command& command, const Json& arguments) {
    for (const Parameter& parameter : command.parameters) {
        const auto argument = arguments.find(parameter.name);
        if (argument == arguments.end()) {
            if (!parameter.optional) {
                return generic_error(fmt::format("argument '{}' is missing", parameter.name));
            }
        } else if (!is_of(*argument, parameter.kind)) {
            return generic_error(
                fmt::format("argument '{}' must be of type {}", parameter.name, name_of(parameter.kind)));
        }
    }
    if (command.open) {
        return {};
    }
    for (auto argument = arguments.begin(); argument != arguments.end(); ++argument) {
        const auto named = [&](const Parameter& parameter) { return argument.key() == parameter.name; };
        if (std::ranges::none_of(command.parameters, named)) {
            return generic_error(
                fmt::format("{} has no argument {}", command.name, json_text(argument.key(), false)));
        }
    }
    return {};
}

}  // namespace weft::control::qmp
