#include "emulator/control/monitor_commands.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text_values.h"
#include "emulator/accel/text_sinks.h"

namespace weft::control {

namespace {

constexpr size_t kMaxLine = 4096;

Result<> help(const MonitorCall& call);
Result<> info_help(const MonitorCall& call);

constexpr MonitorCommand kCommands[] = {
    {"help", "?", "[COMMAND]", "this list, or what it says of a command", 0, 2, help},
    {"info", nullptr, "[SUBJECT]", "shows something; alone, the list of subjects", 0, 0, info_help},
    {"quit", "q", "", "end the emulator", 0, 0, monitor_quit},
    {"stop", "s", "", "stop all CPUs", 0, 0, monitor_stop},
    {"cont", "c", "", "let them go on", 0, 0, monitor_cont},
    {"system_reset", nullptr, "", "reset the machine", 0, 0, monitor_system_reset},
    {"system_powerdown", nullptr, "", "tell QMP's clients; the board has no power button", 0, 0,
     monitor_system_powerdown},
    {"system_wakeup", nullptr, "", "an error: the guest cannot be suspended", 0, 0, monitor_system_wakeup},
    {"nmi", nullptr, "", "an error: the board has none", 0, 0, monitor_nmi},
    {"balloon", nullptr, "MIB", "ask the guest to do with so many MiB of RAM", 1, 1, monitor_balloon},
    {"cpu", nullptr, "N", "commands that name no CPU are about this one", 1, 1, monitor_cpu},
    {"x", nullptr, "[/FORMAT] ADDRESS", "memory at the CPU's virtual addresses: x/4xg $sp", 1, SIZE_MAX,
     monitor_x},
    {"xp", nullptr, "[/FORMAT] ADDRESS", "memory at physical addresses: xp/8i 0x80000000", 1, SIZE_MAX,
     monitor_xp},
    {"print", "p", "[/FORMAT] EXPRESSION", "a number: p/x $pc + 4", 1, SIZE_MAX, monitor_print},
    {"memsave", nullptr, "ADDRESS SIZE FILE", "memory at the CPU's virtual addresses into a file", 3, 3,
     monitor_memsave},
    {"pmemsave", nullptr, "ADDRESS SIZE FILE", "memory at physical addresses into a file", 3, 3,
     monitor_pmemsave},
    {"device_add", nullptr, "DRIVER[,PROPERTY=VALUE...]", "add a device behind a root port", 1, 1,
     monitor_device_add},
    {"device_del", nullptr, "ID", "ask the guest to let go of a device behind a root port", 1, 1,
     monitor_device_del},
    {"drive_add", nullptr, "[PLACE] if=none,id=ID,...", "add a drive, as -drive", 1, 2, monitor_drive_add},
    {"drive_del", nullptr, "ID", "remove a drive that no device uses", 1, 1, monitor_drive_del},
    {"netdev_add", nullptr, "user,id=ID,...", "add a network, as -netdev", 1, 1, monitor_netdev_add},
    {"netdev_del", nullptr, "ID", "remove a network that no device uses", 1, 1, monitor_netdev_del},
    {"object_add", nullptr, "TYPE,id=ID,...", "add an object, as -object", 1, 1, monitor_object_add},
    {"object_del", nullptr, "ID", "remove an object that no device uses", 1, 1, monitor_object_del},
    {"stats", nullptr, "[FILE]", "write the counters as JSON to FILE, or to -accel's stats=FILE", 0, 1,
     monitor_stats},
    {"migrate", nullptr, "[-d] URI",
     "save the machine to file:PATH, exec:COMMAND, unix:PATH, tcp:HOST:PORT or fd:N", 1, 2, monitor_migrate},
    {"migrate_cancel", nullptr, "", "end a migrate -d; the machine goes on", 0, 0, monitor_migrate_cancel},
    {"migrate_incoming", nullptr, "URI", "load a machine from there, with -incoming defer", 1, 1,
     monitor_migrate_incoming},
    {"savevm", nullptr, "NAME", "keep machine and disks in the disks' qcow2 images", 1, 1, monitor_savevm},
    {"loadvm", nullptr, "NAME", "make machine and disks what was kept there", 1, 1, monitor_loadvm},
    {"delvm", nullptr, "NAME", "forget what was kept", 1, 1, monitor_delvm},
    {"info version", nullptr, "", "weft's version", 0, 0, info_version},
    {"info status", nullptr, "", "whether the machine runs", 0, 0, info_status},
    {"info name", nullptr, "", "the machine's name", 0, 0, info_name},
    {"info uuid", nullptr, "", "the machine's UUID", 0, 0, info_uuid},
    {"info history", nullptr, "", "the lines that were typed", 0, 0, info_history},
    {"info cpus", nullptr, "", "the CPUs and where they are", 0, 0, info_cpus},
    {"info registers", nullptr, "[CPU|-a]", "registers of one CPU or of all", 0, 1, info_registers},
    {"info mtree", nullptr, "[-f]", "the tree of memory regions; with -f what is seen at each address", 0, 1,
     info_mtree},
    {"info balloon", nullptr, "", "the RAM that the guest's balloon leaves it", 0, 0, info_balloon},
    {"info block", nullptr, "", "the disks", 0, 0, info_block},
    {"info snapshots", nullptr, "", "what savevm has kept in all disks", 0, 0, info_snapshots},
    {"info chardev", nullptr, "", "the lines of serial port, monitors and QMP", 0, 0, info_chardev},
    {"info migrate", nullptr, "", "how far the machine is saved", 0, 0, info_migrate},
    {"info network", nullptr, "", "the networks", 0, 0, info_network},
    {"info jit", nullptr, "[-j]", "the accelerator's settings and counters; with -j as JSON", 0, 1, info_jit},
    {"info stats", nullptr, "", "the same as info jit -j", 0, 0, info_stats},
    {"info tlb", nullptr, "[CPU]", "the software TLBs; of one CPU with their entries", 0, 1, info_tlb},
    {"info tb-list", nullptr, "[-d] [N]", "the N (10) hottest translations, with -d disassembled", 0, 2,
     info_tb_list},
    {"info tb", nullptr, "ADDRESS", "translations at an address, disassembled", 0, 1, info_tb},
};

bool is_info(const MonitorCommand& command) { return std::string_view(command.name).starts_with("info "); }

void show(const MonitorCall& call, const MonitorCommand& command) {
    std::string usage = command.name;
    if (command.alias != nullptr) {
        usage += fmt::format("|{}", command.alias);
    }
    usage += fmt::format("{}{}", command.arguments[0] == '[' && command.arguments[1] == '/' ? "" : " ",
                         command.arguments);
    call.say(fmt::format("{:<28}{}\n", usage, command.help));
}

// By one word, or by "info" and another.
const MonitorCommand* find(std::string_view name) {
    const auto found = std::ranges::find_if(kCommands, [&](const MonitorCommand& command) {
        return name == command.name || (command.alias != nullptr && name == command.alias);
    });
    return found == std::end(kCommands) ? nullptr : found;
}

Result<> info_help(const MonitorCall& call) {
    for (const MonitorCommand& command : kCommands) {
        if (is_info(command)) {
            show(call, command);
        }
    }
    return {};
}

Result<> help(const MonitorCall& call) {
    if (call.words.empty()) {
        for (const MonitorCommand& command : kCommands) {
            show(call, command);
        }
        return {};
    }
    const std::string name =
        call.words.size() == 1 ? call.words[0] : fmt::format("{} {}", call.words[0], call.words[1]);
    if (name == "info") {
        return info_help(call);
    }
    const MonitorCommand* const command = find(name);
    if (command == nullptr) {
        return fail(fmt::format("there is no command {}", in_quotes(name)));
    }
    show(call, *command);
    return {};
}

// Words, with blanks between them; what stands in double quotes is one.
std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    bool quoted = false;
    bool within = false;
    for (const char c : text) {
        if (c == '"') {
            quoted = !quoted;
        }
        if (c == '"' ? !within : (c != ' ' || quoted) && !within) {
            words.emplace_back();
            within = true;
        }
        if (c == ' ' && !quoted) {
            within = false;
        } else if (c != '"') {
            words.back() += c;
        }
    }
    return words;
}

}  // namespace

std::span<const MonitorCommand> monitor_commands() { return kCommands; }

Result<unsigned> cpu_named(const MonitorCall& call, const std::string& word) {
    const unsigned count = call.machine.cpu_count();
    const std::optional<uint64_t> cpu = parse_uint(word);
    if (!cpu || *cpu >= count) {
        return fail(count == 0 ? std::string("the machine has no CPU")
                               : fmt::format("there is no CPU {} (0 to {})", in_quotes(word), count - 1));
    }
    return static_cast<unsigned>(*cpu);
}

std::string MonitorCommands::execute(std::string_view line) {
    if (line.size() > kMaxLine) {
        return "the line is too long\n";
    }
    const std::vector<std::string> words = words_of(line);
    if (words.empty()) {
        return {};
    }
    const auto behind = [](std::string_view text, size_t begin) {
        return text.substr(std::min(text.find_first_not_of(' ', begin), text.size()));
    };
    std::string_view rest = behind(line, 0);
    rest = behind(rest, std::min(rest.find(' '), rest.size()));
    // "x/4xg", and also "x /4xg".
    std::string name = words[0].substr(0, words[0].find('/'));
    std::string format = words[0].substr(name.size());
    size_t used = 1;
    if (format.empty() && words.size() > 1 && words[1].starts_with('/')) {
        format = words[1];
        used = 2;
    }
    const bool takes_format = name == "x" || name == "xp" || name == "print" || name == "p";
    if (!takes_format) {
        name = words[0];
        format.clear();
        used = 1;
        if (name == "info" && words.size() > 1) {
            name += ' ' + words[1];
            used = 2;
        }
    }
    if (used == 2) {
        rest = behind(rest, std::min(rest.find(' '), rest.size()));
    }
    const MonitorCommand* const command = find(name);
    if (command == nullptr) {
        return fmt::format("unknown command: {}\n", in_quotes(name));
    }
    const std::span<const std::string> arguments = std::span(words).subspan(used);
    if (arguments.size() > command->max_words) {
        return fmt::format("{}: too much: {}\n", command->name, in_quotes(arguments.back()));
    }
    if (arguments.size() < command->min_words) {
        return fmt::format("{}: needs {}\n", command->name, command->arguments);
    }
    static const std::vector<std::string> kNoLines;
    loader::TextCollector answer;
    const MonitorCall call{machine_,
                           facts_,
                           history_ == nullptr ? kNoLines : *history_,
                           cpu_,
                           std::string_view(format).substr(format.empty() ? 0 : 1),
                           arguments,
                           rest,
                           *answer.sink(),
                           wait_};
    if (const Result<> done = command->execute(call); !done) {
        call.say(fmt::format("{}: {}\n", command->name, done.error().message()));
    }
    return std::move(answer.text());
}

std::string with_line_ends(const std::string& text, std::string_view end) {
    std::string result;
    for (const char c : text) {
        if (c == '\n') {
            result += end;
        } else {
            result += c;
        }
    }
    return result;
}

}  // namespace weft::control
