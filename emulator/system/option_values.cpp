#include "emulator/system/option_values.h"

#include <fmt/format.h>

#include <algorithm>

#include "emulator/accel/accel_option.h"
#include "emulator/hw/machine_types.h"

namespace weft::sys {

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
// Room for a firmware's first megabyte; the board asks for more if the images need it.
constexpr uint64_t kMinMemory = kMiB;
constexpr uint64_t kMaxMemory = uint64_t{16} << 40;

Result<unsigned> parse_cpu_count(const std::string& what, const std::string& text) {
    const std::optional<uint64_t> count = parse_uint(text);
    // The chosen board may have room for fewer: that is looked at when it is known.
    const unsigned max_cpus = std::ranges::max(hw::machine_types(), {}, &hw::MachineType::max_cpus).max_cpus;
    if (!count || *count < 1 || *count > max_cpus) {
        return fail(fmt::format("{} must be a number from 1 to {}, not {}", what, max_cpus, in_quotes(text)));
    }
    return static_cast<unsigned>(*count);
}

// A property that says what the board is anyway.
Result<> check_fixed(const hw::MachineType& machine, const KeyValue& item) {
    const auto property = std::ranges::find(machine.fixed, item.key, &hw::FixedProperty::name);
    if (property == machine.fixed.end()) {
        return fail(
            fmt::format("machine {} has no property {}", in_quotes(machine.name), in_quotes(item.key)));
    }
    const std::string given = item.value.value_or("on");
    const std::optional<bool> on = parse_bool(given);
    const std::string value = on ? (*on ? "on" : "off") : given;
    const std::vector<std::string> values = split(property->values, '|');
    if (std::ranges::find(values, value) == values.end()) {
        return fail(fmt::format("{}={} is not supported (only {})", item.key, given, property->values));
    }
    return {};
}

// The levels of -smp that a count of CPUs is the product of; guests are shown one socket of cores, whatever is asked for.
constexpr const char* kLevels[] = {"drawers",  "books",   "sockets", "dies",
                                   "clusters", "modules", "cores",   "threads"};

// The product of the levels; a level that is missing may be anything, so that the product only divides the count.
Result<> check_topology(const RawOptions& raw, unsigned product, bool complete) {
    const unsigned max = raw.options.max_cpus;
    if (complete ? product != max : max % product != 0) {
        return fail(
            fmt::format("the product of sockets, cores and threads ({}) is not maxcpus ({})", product, max));
    }
    return {};
}

}  // namespace

Result<std::string> value_of(const KeyValue& item) {
    if (!item.value || item.value->empty()) {
        return fail(fmt::format("{} needs a value", in_quotes(item.key)));
    }
    return *item.value;
}

Result<bool> switch_of(const KeyValue& item) {
    if (!item.value) {
        return true;
    }
    const std::optional<bool> on = parse_bool(*item.value);
    if (!on) {
        return fail(fmt::format("{} is 'on' or 'off', not {}", item.key, in_quotes(*item.value)));
    }
    return *on;
}

bool is_help(const std::string& word) { return word == "help" || word == "?"; }

void request_help(RawOptions& raw, HelpTopic topic, std::string subject) {
    if (raw.options.help == HelpTopic::none) {
        raw.options.help = topic;
        raw.options.help_subject = std::move(subject);
    }
}

Result<> parse_accel(RawOptions& raw, const std::string& value) {
    Result<loader::AccelOption> option = loader::parse_accel_option(value);
    if (!option) {
        return std::unexpected(option.error());
    }
    switch (option->help) {
        case loader::AccelOption::Help::accelerators:
            request_help(raw, HelpTopic::accels);
            break;
        case loader::AccelOption::Help::properties:
            request_help(raw, HelpTopic::accel_properties, option->choice.name);
            break;
        case loader::AccelOption::Help::none:
            raw.options.accelerators.push_back(std::move(option->choice));
            break;
    }
    return {};
}

Result<> parse_machine(RawOptions& raw, const std::string& value) {
    Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    std::string name = list->head.value_or(hw::machine_types().front().name);
    for (const KeyValue& item : list->items) {
        if (item.key == "type" && !list->head) {
            name = item.value.value_or("");
        }
        if (is_help(item.key) && !item.value) {
            name = item.key;
            break;
        }
    }
    if (is_help(name)) {
        request_help(raw, HelpTopic::machines);
        return {};
    }
    raw.options.no_machine = name == "none";
    const hw::MachineType* machine =
        raw.options.no_machine ? &hw::machine_types().front() : hw::find_machine_type(name);
    if (machine == nullptr) {
        return fail(fmt::format("unknown machine {} (there is {}, 'none')", in_quotes(name),
                                names_of(hw::machine_types())));
    }
    raw.options.machine = machine;
    raw.machine_accels.clear();
    for (const KeyValue& item : list->items) {
        if (item.key == "type" && !list->head) {
            continue;
        }
        if (item.key == "accel") {
            const Result<std::string> accels = value_of(item);
            if (!accels) {
                return std::unexpected(accels.error());
            }
            for (const std::string& accel : split(*accels, ':')) {
                if (!loader::is_accelerator_name(accel)) {
                    return fail(fmt::format("invalid accelerator name {}", in_quotes(accel)));
                }
                raw.machine_accels.push_back({accel, {}});
            }
        } else if (raw.options.no_machine) {
            return fail(fmt::format("none has no property {}", in_quotes(item.key)));
        } else if (item.key == "memory-backend") {
            const Result<std::string> id = value_of(item);
            if (!id) {
                return std::unexpected(id.error());
            }
            raw.memory_backend = *id;
        } else if (item.key == "dumpdtb") {
            const Result<std::string> file = value_of(item);
            if (!file) {
                return std::unexpected(file.error());
            }
            raw.options.dump_tree = *file;
        } else if (const auto unit =
                       item.key.starts_with("pflash") ? parse_uint(item.key.substr(6)) : std::nullopt;
                   unit && *unit < machine->flashes) {
            const Result<std::string> drive = value_of(item);
            if (!drive) {
                return std::unexpected(drive.error());
            }
            raw.flash_names[*unit] = *drive;
        } else if (const auto given =
                       std::ranges::find(machine->switches, item.key, &hw::MachineSwitch::name);
                   given != machine->switches.end()) {
            const Result<bool> on = switch_of(item);
            if (!on) {
                return std::unexpected(on.error());
            }
            raw.options.switches.emplace_back(given->member, *on);
        } else if (Result<> fixed = check_fixed(*machine, item); !fixed) {
            return fixed;
        }
    }
    return {};
}

Result<> parse_cpu(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    if (list->head && is_help(*list->head)) {
        request_help(raw, HelpTopic::cpus);
        return {};
    }
    if (!list->head) {
        return fail("the model's name comes first");
    }
    raw.options.cpu = value;  // whether the machine has it is asked when the machine is known
    return {};
}

Result<> parse_smp(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    std::optional<unsigned> cpus;
    std::optional<unsigned> max_cpus;
    std::optional<unsigned> product;
    unsigned main_levels = 0;
    const auto take = [](std::optional<unsigned>& to, const std::string& what,
                         const std::string& text) -> Result<> {
        const Result<unsigned> count = parse_cpu_count(what, text);
        if (!count) {
            return std::unexpected(count.error());
        }
        to = *count;
        return {};
    };
    Result<> taken;
    if (list->head) {
        taken = take(cpus, "the number of CPUs", *list->head);
    }
    for (const KeyValue& item : list->items) {
        if (!taken) {
            break;
        }
        const std::string text = item.value.value_or("");
        if (item.key == "cpus") {
            taken = take(cpus, "cpus", text);
        } else if (item.key == "maxcpus") {
            taken = take(max_cpus, "maxcpus", text);
        } else if (std::ranges::find(kLevels, item.key) != std::end(kLevels)) {
            std::optional<unsigned> level;
            taken = take(level, item.key, text);
            // Each is small, so that the product has room; what is too large is no divisor of any count.
            product = std::min(product.value_or(1) * level.value_or(1), 1u << 20);
            main_levels += item.key == "sockets" || item.key == "cores" || item.key == "threads" ? 1 : 0;
        } else {
            return fail(fmt::format(
                "unknown parameter {} (there are cpus, maxcpus, sockets, clusters, cores and threads)",
                in_quotes(item.key)));
        }
    }
    if (!taken) {
        return taken;
    }
    raw.options.cpus = cpus ? *cpus : max_cpus ? *max_cpus : product.value_or(1);
    raw.options.max_cpus = max_cpus ? *max_cpus : std::max(raw.options.cpus, main_levels == 3 ? *product : 0);
    if (raw.options.max_cpus < raw.options.cpus) {
        return fail(
            fmt::format("maxcpus ({}) is less than cpus ({})", raw.options.max_cpus, raw.options.cpus));
    }
    return product ? check_topology(raw, *product, main_levels == 3) : Result<>();
}

Result<> parse_memory(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    std::string text = list->head.value_or("");
    for (const KeyValue& item : list->items) {
        if (item.key == "size") {
            text = item.value.value_or("");
        } else if (item.key == "slots" && item.value == "0") {
            continue;
        } else {
            return fail(fmt::format("{} is not supported: memory is not added while the machine runs",
                                    in_quotes(item.key)));
        }
    }
    const std::optional<uint64_t> size = parse_size(text, kMiB);
    if (!size) {
        return fail(fmt::format("invalid size {} (a number with a suffix K, M, G or T; MiB without one)",
                                in_quotes(text)));
    }
    if (Result<> fits = check_memory_size(*size); !fits) {
        return fits;
    }
    raw.options.memory_bytes = *size;
    raw.memory_given = true;
    return {};
}

Result<> check_memory_size(uint64_t bytes) {
    if (bytes < kMinMemory || bytes > kMaxMemory) {
        return fail(fmt::format("the size must be from {} to {}, not {}", format_size(kMinMemory),
                                format_size(kMaxMemory), in_quotes(format_size(bytes))));
    }
    if (bytes % 4096 != 0) {
        return fail(fmt::format("the size must be a multiple of 4K, not {}", in_quotes(format_size(bytes))));
    }
    return {};
}

Result<> parse_log_items(RawOptions& raw, const std::string& value) {
    if (is_help(value)) {
        request_help(raw, HelpTopic::log_items);
        return {};
    }
    raw.options.log_items = value;
    return {};
}

}  // namespace weft::sys
