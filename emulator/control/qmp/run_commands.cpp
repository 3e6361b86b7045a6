// Commands that do something.
#include <fmt/format.h>

#include "emulator/control/memory_file.h"
#include "emulator/control/monitor_commands.h"
#include "emulator/control/qmp/commands.h"

namespace weft::control::qmp {

namespace {

Answer done(const Result<>& result) {
    return result ? Answer(Json::object()) : generic_error(result.error().message());
}

// An address or size: QMP's integers are signed, and addresses above the middle may come either way.
uint64_t unsigned_of(const Json& value) {
    return value.is_number_unsigned() ? value.get<uint64_t>() : static_cast<uint64_t>(value.get<int64_t>());
}

// The CPU that an argument names, if it is there; the first without one.
std::expected<unsigned, Failure> cpu_of(const Subject& subject, const Json& arguments) {
    const auto index = arguments.find("cpu-index");
    const uint64_t cpu = index == arguments.end() ? 0 : unsigned_of(*index);
    if (cpu >= subject.machine.cpu_count() && (cpu != 0 || index != arguments.end())) {
        return generic_error(
            fmt::format("argument 'cpu-index': there is no CPU {}", json_text(*index, false)));
    }
    return static_cast<unsigned>(cpu);
}

Answer save(Subject& subject, std::optional<unsigned> cpu, const Json& arguments) {
    return done(save_memory(subject.machine, cpu, unsigned_of(arguments["val"]),
                            unsigned_of(arguments["size"]), arguments["filename"].get<std::string>()));
}

}  // namespace

Answer stop(Subject& subject, const Json&) { return done(subject.machine.set_running(false)); }
Answer cont(Subject& subject, const Json&) { return done(subject.machine.set_running(true)); }

Answer quit(Subject& subject, const Json&) {
    subject.machine.quit();
    return Json::object();
}

Answer system_reset(Subject& subject, const Json&) {
    subject.machine.system_reset();
    return Json::object();
}

Answer system_powerdown(Subject& subject, const Json&) {
    subject.machine.system_powerdown();
    return Json::object();
}

Answer system_wakeup(Subject&, const Json&) { return generic_error(kNoWakeup); }
Answer inject_nmi(Subject&, const Json&) { return generic_error(kNoNmi); }

// The guest keeps what it needs, whatever it is asked for.
Answer balloon(Subject& subject, const Json& arguments) {
    hw::Balloon* const balloon = subject.machine.balloon();
    if (balloon == nullptr) {
        return no_balloon();
    }
    const Json& value = arguments["value"];
    if (!value.is_number_unsigned() || value.get<uint64_t>() == 0) {
        return generic_error("'value' is a size of RAM in bytes");
    }
    balloon->ask_for(balloon_pages(subject.facts.memory_bytes, value.get<uint64_t>()));
    return Json::object();
}

Answer human_monitor_command(Subject& subject, const Json& arguments) {
    const auto cpu = cpu_of(subject, arguments);
    if (!cpu) {
        return std::unexpected(cpu.error());
    }
    MonitorCommands monitor(subject.machine, subject.facts);
    monitor.select_cpu(*cpu);
    return with_line_ends(monitor.execute(arguments["command-line"].get<std::string>()), "\r\n");
}

Answer memsave(Subject& subject, const Json& arguments) {
    const auto cpu = cpu_of(subject, arguments);
    return cpu ? save(subject, *cpu, arguments) : std::unexpected(cpu.error());
}

Answer pmemsave(Subject& subject, const Json& arguments) { return save(subject, std::nullopt, arguments); }

}  // namespace weft::control::qmp
