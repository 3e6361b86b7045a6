// What the monitor does to a machine, and what it shows of memory.
#include <fmt/format.h>

#include <fstream>

#include "base/text_values.h"
#include "emulator/accel/text_sinks.h"
#include "emulator/control/expression.h"
#include "emulator/control/memory_file.h"
#include "emulator/control/memory_text.h"
#include "emulator/control/monitor_commands.h"

namespace weft::control {

namespace {

// From the dump, whose lines are a name or two with a slash between them, and a value in hexadecimal.
std::optional<uint64_t> register_value(const MonitorCall& call, std::string_view name) {
    if (call.machine.cpu_count() == 0) {
        return std::nullopt;
    }
    loader::TextCollector dump;
    call.machine.dump_registers(call.cpu, *dump.sink());
    for (const std::string& line : split(dump.text(), '\n')) {
        std::vector<std::string> words = split(line, ' ');
        std::erase(words, "");
        if (words.size() == 2) {
            for (const std::string& one : split(words[0], '/')) {
                if (one == name) {
                    return parse_uint(fmt::format("0x{}", words[1]));
                }
            }
        }
    }
    return std::nullopt;
}

Result<uint64_t> number(const MonitorCall& call, std::string_view text) {
    return evaluate(text, [&call](std::string_view name) { return register_value(call, name); });
}

Result<> examine(const MonitorCall& call, std::optional<unsigned> cpu) {
    const Result<Format> format = parse_format(call.format);
    if (!format) {
        return std::unexpected(format.error());
    }
    const Result<uint64_t> address = number(call, call.rest);
    if (!address) {
        return std::unexpected(address.error());
    }
    return show_memory(call.machine, cpu, *address, *format, call.sink);
}

Result<> save(const MonitorCall& call, std::optional<unsigned> cpu) {
    const Result<uint64_t> address = number(call, call.words[0]);
    const Result<uint64_t> size = number(call, call.words[1]);
    if (!address || !size) {
        return std::unexpected((address ? size : address).error());
    }
    return save_memory(call.machine, cpu, *address, *size, call.words[2]);
}

}  // namespace

Result<> monitor_quit(const MonitorCall& call) {
    call.machine.quit();
    return {};
}

Result<> monitor_stop(const MonitorCall& call) { return call.machine.set_running(false); }
Result<> monitor_cont(const MonitorCall& call) { return call.machine.set_running(true); }

Result<> monitor_system_reset(const MonitorCall& call) {
    call.machine.system_reset();
    return {};
}

Result<> monitor_system_powerdown(const MonitorCall& call) {
    call.machine.system_powerdown();
    return {};
}

Result<> monitor_system_wakeup(const MonitorCall&) { return fail(kNoWakeup); }
Result<> monitor_nmi(const MonitorCall&) { return fail(kNoNmi); }

Result<> monitor_balloon(const MonitorCall& call) {
    constexpr uint64_t kMiB = 1 << 20;
    hw::Balloon* const balloon = call.machine.balloon();
    if (balloon == nullptr) {
        return fail(kNoBalloon);
    }
    const std::optional<uint64_t> size = parse_size(call.words[0], kMiB);
    if (!size || *size == 0) {
        return fail(fmt::format("{} is no size in MiB", in_quotes(call.words[0])));
    }
    balloon->ask_for(balloon_pages(call.facts.memory_bytes, *size));
    return {};
}

Result<> monitor_cpu(const MonitorCall& call) {
    const Result<unsigned> cpu = cpu_named(call, call.words[0]);
    if (!cpu) {
        return std::unexpected(cpu.error());
    }
    call.cpu = *cpu;
    return {};
}

Result<> monitor_x(const MonitorCall& call) { return examine(call, call.cpu); }
Result<> monitor_xp(const MonitorCall& call) { return examine(call, std::nullopt); }

Result<> monitor_print(const MonitorCall& call) {
    const Result<Format> format = parse_format(call.format);
    const Result<uint64_t> value = number(call, call.rest);
    if (!format || !value) {
        return std::unexpected(format ? value.error() : format.error());
    }
    const Result<std::string> text = number_text(*value, format->letter);
    if (!text) {
        return std::unexpected(text.error());
    }
    call.say(*text + "\n");
    return {};
}

Result<> monitor_memsave(const MonitorCall& call) { return save(call, call.cpu); }
Result<> monitor_pmemsave(const MonitorCall& call) { return save(call, std::nullopt); }

// Into the file that -accel names, or into another one.
Result<> monitor_stats(const MonitorCall& call) {
    if (call.words.empty()) {
        return call.machine.dump_accelerator("stats-file", call.sink);
    }
    loader::TextCollector counters;
    if (Result<> done = call.machine.dump_accelerator("stats", *counters.sink()); !done) {
        return done;
    }
    std::ofstream file(call.words[0]);
    file << counters.text();
    file.close();
    if (!file) {
        return fail(fmt::format("{} cannot be written", in_quotes(call.words[0])));
    }
    return {};
}

}  // namespace weft::control
