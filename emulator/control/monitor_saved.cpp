// What the monitor does to save a machine and to load one.
#include <fmt/format.h>

#include <ctime>
#include <iterator>

#include "base/text_values.h"
#include "emulator/control/monitor_commands.h"

namespace weft::control {

namespace {

Result<machine::MigrationOperations*> migrations_of(const MonitorCall& call) {
    machine::MigrationOperations* const migrations = call.machine.migrations();
    return migrations != nullptr ? Result<machine::MigrationOperations*>(migrations) : fail(kNoMachineToSave);
}

Result<machine::SnapshotOperations*> snapshots_of(const MonitorCall& call) {
    machine::SnapshotOperations* const snapshots = call.machine.snapshots();
    return snapshots != nullptr ? Result<machine::SnapshotOperations*>(snapshots) : fail(kNoMachineToSave);
}

// "12.3 MiB".
std::string size_text(uint64_t bytes) {
    constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    double value = static_cast<double>(bytes);
    for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) {
        value /= 1024;
    }
    return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, kUnits[unit]);
}

std::string date_text(uint64_t ns) {
    const auto seconds = static_cast<time_t>(ns / 1'000'000'000);
    tm local{};
    localtime_r(&seconds, &local);
    char text[sizeof "2026-01-01 00:00:00"];
    return std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local) != 0 ? text : "";
}

std::string clock_text(uint64_t ns) {
    const uint64_t ms = ns / 1'000'000;
    return fmt::format("{:02}:{:02}:{:02}.{:03}", ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60,
                       ms % 1000);
}

}  // namespace

Result<> monitor_savevm(const MonitorCall& call) {
    const auto snapshots = snapshots_of(call);
    return snapshots ? (*snapshots)->save_snapshot(call.words[0]) : std::unexpected(snapshots.error());
}

Result<> monitor_loadvm(const MonitorCall& call) {
    const auto snapshots = snapshots_of(call);
    return snapshots ? (*snapshots)->load_snapshot(call.words[0]) : std::unexpected(snapshots.error());
}

Result<> monitor_delvm(const MonitorCall& call) {
    const auto snapshots = snapshots_of(call);
    return snapshots ? (*snapshots)->delete_snapshot(call.words[0]) : std::unexpected(snapshots.error());
}

// The columns are QEMU's.
Result<> info_snapshots(const MonitorCall& call) {
    const auto snapshots = snapshots_of(call);
    if (!snapshots) {
        return std::unexpected(snapshots.error());
    }
    const auto list = (*snapshots)->list_snapshots();
    if (!list) {
        return std::unexpected(list.error());
    }
    if (list->empty()) {
        call.say("There is no snapshot available.\n");
        return {};
    }
    call.say("List of snapshots present on all disks:\n");
    call.say(fmt::format("{:<9} {:<16} {:>8} {:>20} {:>13}\n", "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK"));
    for (const backend::SnapshotInfo& one : *list) {
        call.say(fmt::format("{:<9} {:<16} {:>8} {:>20} {:>13}\n", one.id, one.name,
                             size_text(one.vm_state_bytes), date_text(one.date_ns),
                             clock_text(one.vm_clock_ns)));
    }
    return {};
}

Result<> monitor_migrate(const MonitorCall& call) {
    const bool detached = call.words[0] == "-d";
    if (call.words.size() != (detached ? 2 : 1)) {
        return fail(detached ? "needs a URI behind -d"
                             : fmt::format("{} is not -d", in_quotes(call.words[0])));
    }
    const auto migrations = migrations_of(call);
    if (!migrations) {
        return std::unexpected(migrations.error());
    }
    UniqueFd taken;
    const std::string uri = resolve_channel(call.facts.descriptors, call.words.back(), taken);
    if (detached || call.wait == nullptr) {
        Result<> begun = (*migrations)->send(uri, {});
        if (begun && !detached) {
            call.say("it goes on, as with -d: the answer cannot wait\n");
        }
        return begun;
    }
    // The loop goes on meanwhile: who is sent to may never read, and others have to be able to end it.
    Result<> begun = (*migrations)->send(uri, [wait = call.wait](const Result<>& how) {
        wait->end(how ? "" : fmt::format("migrate: {}\n", how.error().message()));
    });
    if (begun) {
        call.wait->begin();
    }
    return begun;
}

Result<> monitor_migrate_cancel(const MonitorCall& call) {
    const auto migrations = migrations_of(call);
    if (!migrations) {
        return std::unexpected(migrations.error());
    }
    (*migrations)->cancel_sending();
    return {};
}

Result<> monitor_migrate_incoming(const MonitorCall& call) {
    const auto migrations = migrations_of(call);
    UniqueFd taken;
    return migrations ? (*migrations)->receive(resolve_channel(call.facts.descriptors, call.words[0], taken))
                      : std::unexpected(migrations.error());
}

Result<> info_migrate(const MonitorCall& call) {
    const auto migrations = migrations_of(call);
    if (!migrations) {
        return std::unexpected(migrations.error());
    }
    const machine::MigrationInfo info = (*migrations)->migration();
    if (info.status == machine::MigrationInfo::Status::none) {
        return {};
    }
    call.say(fmt::format("Migration status: {}{}\n", machine::status_name(info.status),
                         info.error.empty() ? "" : fmt::format(" ({})", info.error)));
    call.say(fmt::format("total time: {} ms\n", info.total_ns / 1'000'000));
    if (!info.incoming) {
        call.say(fmt::format("transferred bytes: {}\nmemory: {} of {} bytes\n", info.bytes, info.memory_done,
                             info.memory_bytes));
    }
    return {};
}

}  // namespace weft::control
