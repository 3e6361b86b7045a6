// Commands that save the machine and load one.
#include <fmt/format.h>

#include "emulator/control/monitor_commands.h"
#include "emulator/control/qmp/commands.h"

namespace weft::control::qmp {

namespace {

constexpr const char* kEvents = "events";

std::expected<machine::MigrationOperations*, Failure> migrations_of(const Subject& subject) {
    machine::MigrationOperations* const migrations = subject.machine.migrations();
    if (migrations == nullptr) {
        return generic_error(kNoMachineToSave);
    }
    return migrations;
}

Answer done(const Result<>& result) {
    return result ? Answer(Json::object()) : generic_error(result.error().message());
}

}  // namespace

Answer migrate(Subject& subject, const Json& arguments) {
    for (const char* way : {"resume", "blk", "inc"}) {
        if (const auto wanted = arguments.find(way); wanted != arguments.end() && *wanted == true) {
            return generic_error(
                fmt::format("argument '{}': the machine is saved in one way, without disks", way));
        }
    }
    const auto migrations = migrations_of(subject);
    if (!migrations) {
        return std::unexpected(migrations.error());
    }
    UniqueFd taken;
    const std::string uri =
        resolve_channel(subject.facts.descriptors, arguments["uri"].get<std::string>(), taken);
    return done((*migrations)->send(uri, {}));
}

Answer migrate_cancel(Subject& subject, const Json&) {
    const auto migrations = migrations_of(subject);
    if (!migrations) {
        return std::unexpected(migrations.error());
    }
    (*migrations)->cancel_sending();
    return Json::object();
}

Answer migrate_incoming(Subject& subject, const Json& arguments) {
    const auto migrations = migrations_of(subject);
    if (!migrations) {
        return std::unexpected(migrations.error());
    }
    UniqueFd taken;
    const std::string uri =
        resolve_channel(subject.facts.descriptors, arguments["uri"].get<std::string>(), taken);
    return done((*migrations)->receive(uri));
}

// Those that are off, as all but one are here, may be turned off. Clients do it first of all, whatever the machine is.
Answer migrate_set_capabilities(Subject& subject, const Json& arguments) {
    machine::MigrationOperations* const migrations = subject.machine.migrations();
    bool tell = migrations != nullptr && migrations->tells_status();
    for (const Json& entry : arguments["capabilities"]) {
        const bool whole = entry.is_object() && entry.contains("capability") && entry.contains("state") &&
                           entry["capability"].is_string() && entry["state"].is_boolean();
        if (!whole) {
            return generic_error(
                "argument 'capabilities': each has a capability, a string, and a state, a boolean");
        }
        if (entry["capability"] == kEvents) {
            tell = entry["state"].get<bool>();
        } else if (entry["state"] == true) {
            return generic_error(
                fmt::format("capability {} is not there", json_text(entry["capability"], false)));
        }
    }
    if (migrations != nullptr) {
        migrations->tell_status(tell);
    }
    return Json::object();
}

Answer query_migrate(Subject& subject, const Json&) {
    const auto migrations = migrations_of(subject);
    if (!migrations) {
        return std::unexpected(migrations.error());
    }
    const machine::MigrationInfo info = (*migrations)->migration();
    using Status = machine::MigrationInfo::Status;
    if (info.status == Status::none) {
        return Json::object();
    }
    Json answer{{"status", machine::status_name(info.status)}, {"total-time", info.total_ns / 1'000'000}};
    if (!info.incoming) {
        answer["ram"] = {{"transferred", info.bytes},
                         {"total", info.memory_bytes},
                         {"remaining", info.memory_bytes - info.memory_done}};
    }
    if (!info.error.empty()) {
        answer["error-desc"] = info.error;
    }
    return answer;
}

Answer migrate_set_parameters(Subject&, const Json& arguments) {
    for (auto argument = arguments.begin(); argument != arguments.end(); ++argument) {
        if (!argument->is_number_unsigned()) {
            return generic_error(fmt::format("argument '{}' is not negative", argument.key()));
        }
    }
    return Json::object();
}

Answer query_migrate_parameters(Subject&, const Json&) {
    Json answer = Json::object();
    for (const char* name : {"max-bandwidth", "downtime-limit", "avail-switchover-bandwidth"}) {
        answer[name] = 0;
    }
    return answer;
}

Answer query_migrate_capabilities(Subject& subject, const Json&) {
    const machine::MigrationOperations* const migrations = subject.machine.migrations();
    const bool on = migrations != nullptr && migrations->tells_status();
    return Json::array({{{"capability", kEvents}, {"state", on}}});
}

}  // namespace weft::control::qmp
