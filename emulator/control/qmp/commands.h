// The commands of QMP, as one table: what a client may send, what is checked, what query-commands and query-qmp-schema tell.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "emulator/control/facts.h"
#include "emulator/control/qmp/json.h"
#include "emulator/machine/operations.h"

namespace weft::control::qmp {

// What commands are about.
struct Subject {
    machine::MachineOperations& machine;
    const MachineFacts& facts;
    backend::CharBackend* line = nullptr;  // the client's, by which descriptors come; null: there is none
};

enum class Kind : uint8_t { boolean, integer, text, array };

struct Parameter {
    const char* name;
    Kind kind;
    bool optional;
};

struct Failure {
    const char* error_class;  // of QMP's: GenericError, CommandNotFound, DeviceNotFound, DeviceNotActive
    std::string message;
};
using Answer = std::expected<Json, Failure>;

inline std::unexpected<Failure> generic_error(std::string message) {
    return std::unexpected(Failure{"GenericError", std::move(message)});
}

// Where there is no balloon device.
inline std::unexpected<Failure> no_balloon() {
    return std::unexpected(Failure{"DeviceNotActive", "there is no balloon device"});
}

struct Command {
    const char* name;
    std::span<const Parameter> parameters;
    const char* help;
    // `arguments` is an object with the parameters that must be there, all of the right kind, and no others.
    Answer (*execute)(Subject& subject, const Json& arguments);
    bool open = false;  // other arguments are those of what is to be made
};

std::span<const Command> commands();
const Command* find_command(std::string_view name);

// Whether `arguments`, an object, are those of the command.
std::expected<void, Failure> check_arguments(const Command& command, const Json& arguments);

struct Event {
    const char* name;
    std::span<const Parameter> members;  // of its data; none: it has no data
    const char* help;
};
std::span<const Event> events();

// The commands themselves, by what they are about. run_commands.cpp:
Answer stop(Subject& subject, const Json& arguments);
Answer cont(Subject& subject, const Json& arguments);
Answer quit(Subject& subject, const Json& arguments);
Answer system_reset(Subject& subject, const Json& arguments);
Answer system_powerdown(Subject& subject, const Json& arguments);
Answer system_wakeup(Subject& subject, const Json& arguments);
Answer inject_nmi(Subject& subject, const Json& arguments);
Answer balloon(Subject& subject, const Json& arguments);
Answer human_monitor_command(Subject& subject, const Json& arguments);
Answer memsave(Subject& subject, const Json& arguments);
Answer pmemsave(Subject& subject, const Json& arguments);
// migration_commands.cpp:
Answer migrate(Subject& subject, const Json& arguments);
Answer migrate_cancel(Subject& subject, const Json& arguments);
Answer migrate_incoming(Subject& subject, const Json& arguments);
Answer migrate_set_capabilities(Subject& subject, const Json& arguments);
Answer query_migrate(Subject& subject, const Json& arguments);
Answer query_migrate_capabilities(Subject& subject, const Json& arguments);
Answer migrate_set_parameters(Subject& subject, const Json& arguments);
Answer query_migrate_parameters(Subject& subject, const Json& arguments);
// descriptor_commands.cpp:
Answer getfd(Subject& subject, const Json& arguments);
Answer closefd(Subject& subject, const Json& arguments);
Answer add_fd(Subject& subject, const Json& arguments);
Answer remove_fd(Subject& subject, const Json& arguments);
Answer query_fdsets(Subject& subject, const Json& arguments);
// query_machine.cpp:
Answer query_version(Subject& subject, const Json& arguments);
Answer query_status(Subject& subject, const Json& arguments);
Answer query_name(Subject& subject, const Json& arguments);
Answer query_uuid(Subject& subject, const Json& arguments);
Answer query_kvm(Subject& subject, const Json& arguments);
Answer query_accelerators(Subject& subject, const Json& arguments);
Answer query_target(Subject& subject, const Json& arguments);
Answer query_machines(Subject& subject, const Json& arguments);
Answer query_current_machine(Subject& subject, const Json& arguments);
Answer query_cpus_fast(Subject& subject, const Json& arguments);
Answer query_cpu_definitions(Subject& subject, const Json& arguments);
Answer query_memory_size_summary(Subject& subject, const Json& arguments);
Answer query_memdev(Subject& subject, const Json& arguments);
Answer x_accel_stats(Subject& subject, const Json& arguments);
// query_devices.cpp:
Answer query_chardev(Subject& subject, const Json& arguments);
Answer query_block(Subject& subject, const Json& arguments);
Answer query_named_block_nodes(Subject& subject, const Json& arguments);
Answer query_balloon(Subject& subject, const Json& arguments);
Answer query_iothreads(Subject& subject, const Json& arguments);
Answer nothing_of_the_kind(Subject& subject, const Json& arguments);  // an empty list
Answer qom_list_types(Subject& subject, const Json& arguments);
Answer qom_list(Subject& subject, const Json& arguments);
Answer qom_get(Subject& subject, const Json& arguments);
Answer device_list_properties(Subject& subject, const Json& arguments);
Answer qom_list_properties(Subject& subject, const Json& arguments);
// hotplug.cpp:
Answer device_add(Subject& subject, const Json& arguments);
Answer device_del(Subject& subject, const Json& arguments);
Answer netdev_add(Subject& subject, const Json& arguments);
Answer netdev_del(Subject& subject, const Json& arguments);
Answer blockdev_add(Subject& subject, const Json& arguments);
Answer blockdev_del(Subject& subject, const Json& arguments);
Answer object_add(Subject& subject, const Json& arguments);
Answer object_del(Subject& subject, const Json& arguments);
// schema.cpp:
Answer query_commands(Subject& subject, const Json& arguments);
Answer query_command_line_options(Subject& subject, const Json& arguments);
Answer query_qmp_schema(Subject& subject, const Json& arguments);

}  // namespace weft::control::qmp
