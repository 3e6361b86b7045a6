// What the monitor shows: `info`.
#include <fmt/format.h>

#include "base/text_values.h"
#include "emulator/control/monitor_commands.h"

namespace weft::control {

namespace {

// The accelerator's report, with what was written behind the command.
Result<> report(const MonitorCall& call, std::string topic) {
    for (const std::string& argument : call.words) {
        topic += ' ' + argument;
    }
    return call.machine.dump_accelerator(topic, call.sink);
}

}  // namespace

Result<> info_version(const MonitorCall& call) {
    call.say(call.facts.version + "\n");
    return {};
}

// As QEMU says it.
Result<> info_status(const MonitorCall& call) {
    const std::string_view state = call.machine.run_state();
    call.say(state == "running" || state == "paused" ? fmt::format("VM status: {}\n", state)
                                                     : fmt::format("VM status: paused ({})\n", state));
    return {};
}

Result<> info_name(const MonitorCall& call) {
    if (!call.facts.name.empty()) {
        call.say(call.facts.name + "\n");
    }
    return {};
}

Result<> info_uuid(const MonitorCall& call) {
    call.say(uuid_or_zeros(call.facts) + "\n");
    return {};
}

Result<> info_history(const MonitorCall& call) {
    for (size_t i = 0; i < call.history.size(); ++i) {
        call.say(fmt::format("{}: '{}'\n", i, call.history[i]));
    }
    return {};
}

Result<> info_registers(const MonitorCall& call) {
    const bool all = !call.words.empty() && call.words[0] == "-a";
    unsigned first = 0;
    unsigned end = call.machine.cpu_count();
    if (!all) {
        const Result<unsigned> cpu =
            cpu_named(call, call.words.empty() ? std::to_string(call.cpu) : call.words[0]);
        if (!cpu) {
            return std::unexpected(cpu.error());
        }
        first = *cpu;
        end = first + 1;
    }
    for (unsigned cpu = first; cpu < end; ++cpu) {
        call.say(fmt::format("CPU {}\n", cpu));
        call.machine.dump_registers(cpu, call.sink);
    }
    return {};
}

// As QEMU says it.
Result<> info_balloon(const MonitorCall& call) {
    hw::Balloon* const balloon = call.machine.balloon();
    if (balloon == nullptr) {
        return fail(kNoBalloon);
    }
    call.say(fmt::format("balloon: actual={}\n", memory_left(call.facts.memory_bytes, *balloon) >> 20));
    return {};
}

Result<> info_block(const MonitorCall& call) {
    for (const DiskFacts& disk : call.facts.disks) {
        call.say(fmt::format("{}: {} ({}{}{})\n    Cache mode:       {}\n", disk.name, disk.file, disk.format,
                             disk.read_only ? ", read-only" : "", disk.snapshot ? ", snapshot" : "",
                             disk.write_through ? "writethrough" : "writeback"));
    }
    return {};
}

Result<> info_chardev(const MonitorCall& call) {
    if (call.facts.chars) {
        for (const CharFacts& line : call.facts.chars()) {
            call.say(fmt::format("{}: filename={}\n", line.label, line.filename));
        }
    }
    return {};
}

Result<> info_network(const MonitorCall& call) {
    for (const NetworkFacts& network : call.facts.networks) {
        call.say(fmt::format("{}: index=0,type={}\n", network.id, network.type));
    }
    return {};
}

Result<> info_mtree(const MonitorCall& call) {
    if (!call.words.empty() && call.words[0] != "-f") {
        return fail(fmt::format("{} is not -f", in_quotes(call.words[0])));
    }
    call.machine.dump_memory(!call.words.empty(), call.sink);
    return {};
}

Result<> info_cpus(const MonitorCall& call) {
    call.machine.dump_cpus(call.sink);
    return {};
}

Result<> info_jit(const MonitorCall& call) {
    if (!call.words.empty() && call.words[0] != "-j") {
        return fail(fmt::format("{} is not -j", in_quotes(call.words[0])));
    }
    return call.machine.dump_accelerator(call.words.empty() ? "jit" : "stats", call.sink);
}

Result<> info_tlb(const MonitorCall& call) { return report(call, "tlb"); }

Result<> info_tb_list(const MonitorCall& call) { return report(call, "tb-list"); }

Result<> info_tb(const MonitorCall& call) {
    if (call.words.empty()) {
        return fail("needs an address of the guest or of generated code");
    }
    return report(call, "tb");
}

Result<> info_stats(const MonitorCall& call) { return call.machine.dump_accelerator("stats", call.sink); }

}  // namespace weft::control
