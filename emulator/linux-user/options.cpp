#include "emulator/linux-user/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/option_table.h"
#include "base/text_values.h"
#include "emulator/accel/accel_option.h"
#include "emulator/linux-user/binfmt.h"

namespace weft::user {

namespace {

// What has been said so far.
struct Raw {
    Options options;
    std::vector<KeyValue> properties;  // of each accelerator, by options of their own
};

using OptionDesc = weft::OptionDesc<Raw>;
using OptionGroup = weft::OptionGroup<Raw>;

void request_help(Raw& raw, HelpTopic topic, std::string subject = "") {
    if (raw.options.help == HelpTopic::none) {
        raw.options.help = topic;
        raw.options.help_subject = std::move(subject);
    }
}

bool is_help(const std::string& word) { return word == "help" || word == "?"; }

Result<> not_empty(const std::string& value) {
    return value.empty() ? fail("the value is empty") : Result<>();
}

template <auto member>
Result<> set_text(Raw& raw, const std::string& value) {
    raw.options.*member = value;
    return not_empty(value);
}

template <auto member>
Result<> set_flag(Raw& raw, const std::string&) {
    raw.options.*member = true;
    return {};
}

template <auto member>
Result<> set_number(Raw& raw, const std::string& value) {
    raw.options.*member = parse_uint(value);
    return raw.options.*member ? Result<>() : fail(fmt::format("{} is not a number", in_quotes(value)));
}

template <auto member>
Result<> set_size(Raw& raw, const std::string& value) {
    raw.options.*member = parse_size(value, 1);
    return raw.options.*member ? Result<>()
                               : fail(fmt::format("{} is not a number of bytes, with a suffix K, M, G or T",
                                                  in_quotes(value)));
}

template <HelpTopic topic>
Result<> set_help(Raw& raw, const std::string&) {
    request_help(raw, topic);
    return {};
}

Result<> print_binfmt(Raw& raw, const std::string& value) {
    request_help(raw, HelpTopic::binfmt, value.empty() ? std::string(kBinfmtFlags) : value);
    return check_binfmt_flags(value);
}

// An option that stands for a property of the accelerator.
template <const char* property>
Result<> set_property(Raw& raw, const std::string& value) {
    raw.properties.push_back({property, value});
    return {};
}

template <const char* property>
Result<> turn_on(Raw& raw, const std::string&) {
    raw.properties.push_back({property, "on"});
    return {};
}

constexpr char kTbSize[] = "tb-size";
constexpr char kOneInsnPerTb[] = "one-insn-per-tb";
constexpr char kPerfMap[] = "perfmap";
constexpr char kJitDump[] = "jitdump";
constexpr char kSplitWx[] = "split-wx";
constexpr const char* kBounds = "bounds";

Result<> set_argument0(Raw& raw, const std::string& value) {
    raw.options.argument0 = value;  // may be empty
    return {};
}

// "a,b" as two; a comma within one is doubled.
std::vector<std::string> split_list(const std::string& text) {
    std::vector<std::string> parts(1);
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != ',') {
            parts.back() += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == ',') {
            parts.back() += text[++i];
        } else {
            parts.emplace_back();
        }
    }
    return parts;
}

void remove_variable(std::vector<std::string>& environment, std::string_view name) {
    std::erase_if(environment, [&](const std::string& entry) {
        return entry.starts_with(name) && entry.size() > name.size() && entry[name.size()] == '=';
    });
}

Result<> set_variables(Raw& raw, const std::string& value) {
    for (std::string& part : split_list(value)) {
        const size_t equals = part.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(fmt::format("{} is not VARIABLE=VALUE", in_quotes(part)));
        }
        remove_variable(raw.options.environment, std::string_view(part).substr(0, equals));
        raw.options.environment.push_back(std::move(part));
    }
    return {};
}

Result<> unset_variables(Raw& raw, const std::string& value) {
    for (const std::string& part : split_list(value)) {
        if (part.empty() || part.find('=') != std::string::npos) {
            return fail(fmt::format("{} is not a variable's name", in_quotes(part)));
        }
        remove_variable(raw.options.environment, part);
    }
    return {};
}

Result<> set_accel(Raw& raw, const std::string& value) {
    Result<loader::AccelOption> option = loader::parse_accel_option(value);
    if (!option) {
        return std::unexpected(option.error());
    }
    switch (option->help) {
        case loader::AccelOption::Help::accelerators:
            request_help(raw, HelpTopic::accels);
            return {};
        case loader::AccelOption::Help::properties:
            request_help(raw, HelpTopic::accel_properties, option->choice.name);
            return {};
        case loader::AccelOption::Help::none:
            break;
    }
    // The emulator's own among the properties: the accelerator is told by UserMemoryOps.
    for (const KeyValue& item : option->choice.properties) {
        if (item.key == kBounds) {
            const std::optional<bool> on = parse_bool(item.value.value_or("on"));
            if (!on) {
                return fail(fmt::format("property {}: {} is not on or off", kBounds, in_quotes(*item.value)));
            }
            raw.options.bounds = *on;
        }
    }
    std::erase_if(option->choice.properties, [](const KeyValue& item) { return item.key == kBounds; });
    raw.options.accelerators.push_back(std::move(option->choice));
    return {};
}

Result<> set_cpu(Raw& raw, const std::string& value) {
    if (is_help(value)) {
        request_help(raw, HelpTopic::cpus);
        return {};
    }
    const auto model = riscv::parse_cpu_model(value);
    if (!model) {
        return std::unexpected(model.error());
    }
    raw.options.cpu = *model;
    return {};
}

Result<> set_log_items(Raw& raw, const std::string& value) {
    if (is_help(value)) {
        request_help(raw, HelpTopic::log_items);
        return {};
    }
    // System calls are no item of the accelerator's log.
    std::vector<std::string> items = split(value, ',');
    if (std::erase(items, "strace") != 0) {
        raw.options.strace = true;
        if (items.empty()) {
            return {};
        }
    }
    const Result<LogMask> mask = parse_log_items(fmt::format("{}", fmt::join(items, ",")));
    if (!mask) {
        return std::unexpected(mask.error());
    }
    raw.options.log_items = *mask;
    return {};
}

Result<> set_log_filter(Raw& raw, const std::string& value) {
    Result<AddressFilter> filter = AddressFilter::parse(value);
    if (!filter) {
        return std::unexpected(filter.error());
    }
    raw.options.log_filter = std::move(*filter);
    return {};
}

Result<> set_debugger(Raw& raw, const std::string& value) {
    const Result<DebugAddress> address = DebugAddress::parse(value);
    if (!address) {
        return std::unexpected(address.error());
    }
    raw.options.debugger = *address;
    return {};
}

Result<> set_handover(Raw& raw, const std::string& value) {
    const Result<Handover> handover = parse_handover(value);
    if (!handover) {
        return std::unexpected(handover.error());
    }
    raw.options.handover = *handover;
    return {};
}

// Signals have their numbers: there is nothing to map.
Result<> ignore(Raw&, const std::string&) { return {}; }

constexpr OptionDesc kProgramOptions[] = {
    {"L", nullptr, "DIR", "LD_PREFIX", set_text<&Options::prefix>,
     "look up names that begin with a slash in DIR first: the dynamic linker, the\n"
     "guest's files"},
    {"E", nullptr, "VAR=VALUE[,...]", "SET_ENV", set_variables,
     "set variables of the guest; commas in values are doubled. May be repeated"},
    {"U", nullptr, "VAR[,...]", "UNSET_ENV", unset_variables,
     "remove variables of the guest. May be repeated"},
    {"0", nullptr, "TEXT", "ARGV0", set_argument0, "argument 0 of the guest, instead of PROGRAM"},
    {"r", nullptr, "RELEASE", "UNAME", set_text<&Options::release>,
     "the kernel's release as the guest sees it (the host's)"},
    {"s", nullptr, "SIZE", "STACK_SIZE", set_size<&Options::stack_size>,
     "the limit of the first thread's stack, in bytes or with a suffix K, M, G or T\n(the host's limit)"},
    {"B", nullptr, "ADDRESS", "GUEST_BASE", set_number<&Options::base>,
     "the host's address of the guest's address 0 (0, or higher for programs that\nwould lie where the host "
     "has something)"},
    {"R", nullptr, "SIZE", "RESERVED_VA", set_size<&Options::reserved>,
     "the size of the guest's space, all of which is kept from the host's own\nmappings; 0 keeps none (0)"},
    {"seed", nullptr, "NUMBER", "RAND_SEED", set_number<&Options::seed>,
     "the random bytes that the program is started with follow from NUMBER"},
    {"t", nullptr, "MAP", "RTSIG_MAP", ignore,
     "accepted for habit's sake: signals have the same numbers for guest and host"},
    {"after-exec", nullptr, "STATE", nullptr, set_handover,
     "given by weft to itself, for a program that the guest executes: what the process\nkeeps"},
};

constexpr OptionDesc kCpuOptions[] = {
    {"cpu", nullptr, "NAME[,PROPERTY=on|off...]", "CPU", set_cpu,
     "the model of the CPU ('help' lists them), and extensions it is to have or not"},
    {"accel", nullptr, "NAME[,PROPERTY=VALUE...]", "ACCEL", set_accel,
     "run the guest with accelerator NAME; given several times, the first that\n"
     "works is used. Without: tcg. 'help' lists them, 'NAME,help' its properties.\n"
     "The property bounds=on confines what the guest accesses to the guest's space"},
    {"module-dir", nullptr, "DIR", nullptr, set_text<&Options::module_dir>,
     "look for accelerator modules here before WEFT_MODULE_DIR and the program's\nown folders"},
    {"tb-size", nullptr, "MIB", "TB_SIZE", set_property<kTbSize>,
     "memory for translated code (the same as -accel ...,tb-size=MIB)"},
    {"one-insn-per-tb", nullptr, nullptr, "ONE_INSN_PER_TB", turn_on<kOneInsnPerTb>,
     "translate every instruction on its own (-accel ...,one-insn-per-tb=on)"},
    {"split-wx", nullptr, "on|off", "SPLIT_WX", set_property<kSplitWx>,
     "map translated code twice, so that no memory is both writable and executable\n"
     "(-accel ...,split-wx=on; off, as forked children share such memory)"},
};

constexpr OptionDesc kDebugOptions[] = {
    {"strace", nullptr, nullptr, "STRACE", set_flag<&Options::strace>, "log system calls"},
    {"d", nullptr, "ITEM[,ITEM...]", "LOG", set_log_items,
     "log these items ('help' lists them); 'strace' is -strace"},
    {"D", nullptr, "FILE", "LOG_FILENAME", set_text<&Options::log_file>,
     "log to FILE instead of standard error"},
    {"dfilter", nullptr, "RANGE[,RANGE...]", "DFILTER", set_log_filter,
     "log code at these guest addresses only: FIRST..LAST, START+LENGTH or\nEND-LENGTH"},
    {"g", nullptr, "PORT|PATH", "GDB", set_debugger,
     "wait for gdb at PORT of 127.0.0.1, or at the Unix socket PATH, which has a\nslash; %d in it is the "
     "process's number"},
    {"perfmap", nullptr, nullptr, "PERFMAP", turn_on<kPerfMap>,
     "list generated code for perf in /tmp/perf-PID.map (-accel ...,perfmap=on)"},
    {"jitdump", nullptr, nullptr, "JITDUMP", turn_on<kJitDump>,
     "write generated code to jit-PID.dump, for 'perf inject --jit'\n(-accel ...,jitdump=on)"},
};

constexpr OptionDesc kHelpOptions[] = {
    {"help", "h", nullptr, nullptr, set_help<HelpTopic::usage>, "this text"},
    {"version", nullptr, nullptr, "VERSION", set_help<HelpTopic::version>, "the version"},
    {"print-binfmt", nullptr, "[=FLAGS]", nullptr, print_binfmt,
     "the line that registers weft with Linux' binfmt_misc, which then starts riscv64\n"
     "programs with it: for /proc/sys/fs/binfmt_misc/register, or a file of binfmt.d.\n"
     "FLAGS are letters of C, F, O and P (FOP)"},
};

constexpr OptionGroup kGroups[] = {
    {"Program", kProgramOptions}, {"CPU", kCpuOptions}, {"Debugging", kDebugOptions}, {"Help", kHelpOptions}};

const char* value_of(std::span<const char* const> environment, std::string_view name) {
    for (const char* const entry : environment) {
        const std::string_view text(entry);
        if (text.starts_with(name) && text.size() > name.size() && text[name.size()] == '=') {
            return entry + name.size() + 1;
        }
    }
    return nullptr;
}

// A switch is on where its variable is there, whatever it says.
Result<> parse_variables(Raw& raw, std::span<const char* const> environment, std::string_view family) {
    for (const OptionGroup& group : kGroups) {
        for (const OptionDesc& option : group.options) {
            if (option.variable == nullptr) {
                continue;
            }
            const std::string name = fmt::format("{}{}", family, option.variable);
            const char* const value = value_of(environment, name);
            if (value == nullptr) {
                continue;
            }
            if (Result<> applied = option.apply(raw, value); !applied) {
                return std::unexpected(applied.error().within(name));
            }
        }
    }
    return {};
}

// Its argument, its environment, its debugger and what it was before: a program that it runs has its own.
bool is_of_one_program(const OptionDesc& option) {
    return option.apply == set_argument0 || option.apply == set_variables ||
           option.apply == unset_variables || option.apply == set_debugger || option.apply == set_handover;
}

// Moves `arguments` behind the options.
Result<> parse_arguments(Raw& raw, std::span<const char* const>& arguments) {
    const auto next = [&] {
        const char* const word = arguments.front();
        arguments = arguments.subspan(1);
        return word;
    };
    while (!arguments.empty() && arguments.front()[0] == '-') {
        const char* const word = next();
        std::string_view name(word);
        if (name == "--") {
            break;
        }
        name.remove_prefix(name.starts_with("--") ? 2 : 1);
        const std::string_view stem = name.substr(0, name.find('='));
        const OptionDesc* option = find_option<Raw>(kGroups, stem);
        if (option == nullptr || (stem.size() < name.size() && !option->has_optional_value())) {
            return fail(fmt::format("unknown option {} (-help lists them)", in_quotes(word)));
        }
        std::string value;
        if (option->has_optional_value()) {
            value = name.substr(std::min(stem.size() + 1, name.size()));
            name = stem;
        } else if (option->argument != nullptr) {
            if (arguments.empty()) {
                return fail(fmt::format("-{}: needs a value: {}", name, option->argument));
            }
            value = next();
        }
        if (Result<> applied = option->apply(raw, value); !applied) {
            return std::unexpected(applied.error().within(fmt::format("-{}", name)));
        }
        if (!is_of_one_program(*option)) {
            raw.options.inherited.emplace_back(word);
            if (option->argument != nullptr && !option->has_optional_value()) {
                raw.options.inherited.push_back(value);
            }
        }
    }
    return {};
}

// Each option's property goes to each accelerator. Code that a forked child shares with its parent would be written by both.
void choose_accelerators(Raw& raw) {
    std::vector<loader::AccelChoice>& accelerators = raw.options.accelerators;
    if (accelerators.empty()) {
        accelerators.push_back({"tcg", {}});
    }
    for (loader::AccelChoice& accelerator : accelerators) {
        std::vector<KeyValue>& properties = accelerator.properties;
        if (accelerator.name == "tcg") {
            properties.insert(properties.begin(), KeyValue{kSplitWx, "off"});
        }
        properties.insert(properties.end(), raw.properties.begin(), raw.properties.end());
    }
}

}  // namespace

Result<Options> parse_options(std::span<const char* const> arguments,
                              std::span<const char* const> environment, const StartedBy& by) {
    Raw raw;
    for (const std::string_view entry : environment) {
        const std::string_view hidden(kGuestVariable);
        raw.options.environment.emplace_back(entry.starts_with(hidden) ? entry.substr(hidden.size()) : entry);
    }
    // What a source says goes before what an earlier one said; accelerators of one source are alternatives, and no others.
    std::vector<loader::AccelChoice>& accelerators = raw.options.accelerators;
    const std::array<std::function<Result<>()>, 3> sources = {
        [&] { return by.more_rights ? Result<>() : parse_variables(raw, environment, "QEMU_"); },
        [&] { return by.more_rights ? Result<>() : parse_variables(raw, environment, "WEFT_"); },
        [&] { return by.kernel ? Result<>() : parse_arguments(raw, arguments); }};
    for (const auto& source : sources) {
        const auto earlier = static_cast<ptrdiff_t>(accelerators.size());
        if (const Result<> done = source(); !done) {
            return std::unexpected(done.error());
        }
        if (std::ssize(accelerators) > earlier) {
            accelerators.erase(accelerators.begin(), accelerators.begin() + earlier);
        }
    }
    choose_accelerators(raw);
    raw.options.arguments.assign(arguments.begin(), arguments.end());
    if (raw.options.arguments.empty() && raw.options.help == HelpTopic::none) {
        return fail("no program is given (-help shows how)");
    }
    return std::move(raw.options);
}

std::string usage_text() {
    std::string text = fmt::format(
        "Usage: {} [OPTION]... PROGRAM [ARGUMENT]...\nRuns a program for riscv64 Linux.\n", kProgramName);
    text += options_text<Raw>(kGroups);
    text +=
        "\nOptions end at the first word without a dash. The variable in brackets stands for its option, and "
        "the\n"
        "same one with WEFT_ instead of QEMU_ goes before it.\n"
        "\nThe exit code is the program's; 127 if there is no such program, 126 if it cannot be executed, "
        "and 1\n"
        "after another error of the emulator's, each told in one line.\n";
    return text;
}

std::string cpus_text() {
    std::string text = "CPUs:\n";
    for (const riscv::CpuModel& model : riscv::cpu_models()) {
        text += fmt::format("  {}  {}{}\n", model.name, riscv::isa_string(model),
                            model.name == Options().cpu.name ? " (default)" : "");
    }
    return text;
}

std::vector<OptionRow> option_rows() {
    std::vector<OptionRow> rows;
    for (const OptionGroup& group : kGroups) {
        for (const OptionDesc& option : group.options) {
            rows.push_back({option.name, option.argument != nullptr ? option.argument : "",
                            option.variable != nullptr ? option.variable : ""});
        }
    }
    return rows;
}

}  // namespace weft::user
