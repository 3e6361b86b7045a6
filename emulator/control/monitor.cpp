#include "emulator/control/monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "base/text_values.h"
#include "emulator/accel/text_sinks.h"

namespace weft::control {

namespace {

constexpr std::string_view kPrompt = "(weft) ";
constexpr size_t kMaxCommand = 1024;

using Words = std::span<const std::string>;

// A command: the words that name it, what may follow, and what it does. The first whose words begin the line is taken.
struct Command {
    const char* name;
    const char* arguments;
    const char* help;
    size_t max_arguments;
    Result<> (*execute)(machine::MachineOperations& target, Words arguments, const TextSink& sink);
};

Result<> quit(machine::MachineOperations& target, Words, const TextSink&) {
    target.quit();
    return {};
}

Result<> system_reset(machine::MachineOperations& target, Words, const TextSink&) {
    target.system_reset();
    return {};
}

Result<> stop(machine::MachineOperations& target, Words, const TextSink&) {
    return target.set_running(false);
}

Result<> cont(machine::MachineOperations& target, Words, const TextSink&) { return target.set_running(true); }

Result<> info_registers(machine::MachineOperations& target, Words arguments, const TextSink& sink) {
    unsigned first = 0;
    unsigned last = 0;
    if (!arguments.empty() && arguments[0] == "-a") {
        last = target.cpu_count() - 1;
    } else if (!arguments.empty()) {
        const std::optional<uint64_t> cpu = parse_uint(arguments[0]);
        if (!cpu || *cpu >= target.cpu_count()) {
            return fail(
                fmt::format("there is no CPU {} (0 to {})", in_quotes(arguments[0]), target.cpu_count() - 1));
        }
        first = last = static_cast<unsigned>(*cpu);
    }
    for (unsigned cpu = first; cpu <= last; ++cpu) {
        const std::string title = fmt::format("CPU {}\n", cpu);
        sink.write(sink.opaque, title.data(), title.size());
        target.dump_registers(cpu, sink);
    }
    return {};
}

Result<> info_mtree(machine::MachineOperations& target, Words arguments, const TextSink& sink) {
    if (!arguments.empty() && arguments[0] != "-f") {
        return fail(fmt::format("{} is not -f", in_quotes(arguments[0])));
    }
    target.dump_memory(!arguments.empty(), sink);
    return {};
}

Result<> info_cpus(machine::MachineOperations& target, Words, const TextSink& sink) {
    target.dump_cpus(sink);
    return {};
}

Result<> info_jit(machine::MachineOperations& target, Words arguments, const TextSink& sink) {
    if (!arguments.empty() && arguments[0] != "-j") {
        return fail(fmt::format("{} is not -j", in_quotes(arguments[0])));
    }
    return target.dump_accelerator(arguments.empty() ? "jit" : "stats", sink);
}

// The accelerator's report, with what was written behind the command.
Result<> report(machine::MachineOperations& target, std::string topic, Words arguments,
                const TextSink& sink) {
    for (const std::string& argument : arguments) {
        topic += ' ' + argument;
    }
    return target.dump_accelerator(topic, sink);
}

Result<> info_tlb(machine::MachineOperations& target, Words arguments, const TextSink& sink) {
    return report(target, "tlb", arguments, sink);
}

Result<> info_tb_list(machine::MachineOperations& target, Words arguments, const TextSink& sink) {
    return report(target, "tb-list", arguments, sink);
}

Result<> info_tb(machine::MachineOperations& target, Words arguments, const TextSink& sink) {
    if (arguments.empty()) {
        return fail("needs an address of the guest or of generated code");
    }
    return report(target, "tb", arguments, sink);
}

// Into the file that -accel names, or into another one.
Result<> stats(machine::MachineOperations& target, Words arguments, const TextSink& sink) {
    if (arguments.empty()) {
        return target.dump_accelerator("stats-file", sink);
    }
    loader::TextCollector counters;
    if (Result<> done = target.dump_accelerator("stats", *counters.sink()); !done) {
        return done;
    }
    std::ofstream file(arguments[0]);
    file << counters.text();
    file.close();
    if (!file) {
        return fail(fmt::format("{} cannot be written", in_quotes(arguments[0])));
    }
    return {};
}

Result<> info_stats(machine::MachineOperations& target, Words, const TextSink& sink) {
    return target.dump_accelerator("stats", sink);
}

Result<> info_status(machine::MachineOperations& target, Words, const TextSink& sink) {
    const std::string_view text = target.running() ? "running\n" : "stopped\n";
    sink.write(sink.opaque, text.data(), text.size());
    return {};
}

Result<> help(machine::MachineOperations& target, Words arguments, const TextSink& sink);

constexpr Command kCommands[] = {
    {"help", "", "this list", 0, help},
    {"quit", "", "end the emulator", 0, quit},
    {"system_reset", "", "reset the machine", 0, system_reset},
    {"stop", "", "stop all CPUs", 0, stop},
    {"cont", "", "let them go on", 0, cont},
    {"info status", "", "whether the machine runs", 0, info_status},
    {"info cpus", "", "the CPUs and where they are", 0, info_cpus},
    {"info registers", "[CPU|-a]", "registers of one CPU (0) or of all", 1, info_registers},
    {"info mtree", "[-f]", "the tree of memory regions; with -f what is seen at each address", 1, info_mtree},
    {"info jit", "[-j]", "the accelerator's settings and counters; with -j as JSON", 1, info_jit},
    {"info stats", "", "the same as info jit -j", 0, info_stats},
    {"info tlb", "[CPU]", "the software TLBs; of one CPU with their entries", 1, info_tlb},
    {"info tb-list", "[-d] [N]", "the N (10) hottest translations, with -d disassembled", 2, info_tb_list},
    {"info tb", "ADDRESS", "translations at an address, disassembled", 1, info_tb},
    {"stats", "[FILE]", "write the counters as JSON to FILE, or to -accel's stats=FILE", 1, stats},
};

Result<> help(machine::MachineOperations&, Words, const TextSink& sink) {
    for (const Command& command : kCommands) {
        const std::string usage = fmt::format("{} {}", command.name, command.arguments);
        const std::string line = fmt::format("{:<26}{}\n", usage, command.help);
        sink.write(sink.opaque, line.data(), line.size());
    }
    return {};
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words = split(text, ' ');
    std::erase(words, "");
    return words;
}

}  // namespace

Monitor::Monitor(backend::CharBackend& line, machine::MachineOperations& target)
    : line_(line), target_(target) {
    line_.set_receiver(this);
}

Monitor::~Monitor() { line_.set_receiver(nullptr); }

void Monitor::show_prompt() { say(kPrompt); }

std::string Monitor::execute(std::string_view line) {
    const std::vector<std::string> words = words_of(line);
    if (words.empty()) {
        return {};
    }
    for (const Command& command : kCommands) {
        const std::vector<std::string> name = words_of(command.name);
        if (words.size() < name.size() || !std::equal(name.begin(), name.end(), words.begin())) {
            continue;
        }
        const Words arguments = Words(words).subspan(name.size());
        if (arguments.size() > command.max_arguments) {
            return fmt::format("{}: too much: {}\n", command.name, in_quotes(arguments.back()));
        }
        loader::TextCollector answer;
        if (const Result<> done = command.execute(target_, arguments, *answer.sink()); !done) {
            return fmt::format("{}: {}\n", command.name, done.error().message());
        }
        return std::move(answer.text());
    }
    return fmt::format("unknown command {} (help lists them)\n", in_quotes(line));
}

void Monitor::receive(std::span<const uint8_t> data) {
    for (const uint8_t byte : data) {
        typed(byte);
    }
}

void Monitor::typed(uint8_t byte) {
    const bool after_return = std::exchange(after_return_, byte == '\r');
    if (byte == '\n' && after_return) {
        return;
    }
    if (byte == '\r' || byte == '\n') {
        say("\n");
        const std::string command = std::exchange(input_, {});
        say(execute(command));
        show_prompt();
    } else if (byte == 0x7f || byte == '\b') {
        if (!input_.empty()) {
            input_.pop_back();
            say("\b \b");
        }
    } else if (byte == 0x15) {  // Ctrl-U: the line anew
        for (; !input_.empty(); input_.pop_back()) {
            say("\b \b");
        }
    } else if (byte >= 0x20 && input_.size() < kMaxCommand) {
        input_ += static_cast<char>(byte);
        line_.write({&byte, 1});
    }
}

void Monitor::say(std::string_view text) {
    if (!text.empty()) {
        line_.write({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    }
}

}  // namespace weft::control
