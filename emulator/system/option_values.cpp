#include "emulator/system/option_values.h"

#include <fmt/format.h>

#include <algorithm>

#include "emulator/accel/accel_option.h"
#include "emulator/hw/device_types.h"
#include "emulator/hw/machine_types.h"

namespace weft::sys {

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
// Room for a firmware's first megabyte; the board asks for more if the images need it.
constexpr uint64_t kMinMemory = kMiB;
constexpr uint64_t kMaxMemory = uint64_t{16} << 40;

bool is_help(const std::string& word) { return word == "help" || word == "?"; }

Result<unsigned> parse_cpu_count(const std::string& what, const std::string& text) {
    const std::optional<uint64_t> count = parse_uint(text);
    // The chosen board may have room for fewer: that is looked at when it is known.
    const unsigned max_cpus = std::ranges::max(hw::machine_types(), {}, &hw::MachineType::max_cpus).max_cpus;
    if (!count || *count < 1 || *count > max_cpus) {
        return fail(fmt::format("{} must be a number from 1 to {}, not {}", what, max_cpus, in_quotes(text)));
    }
    return static_cast<unsigned>(*count);
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

}  // namespace

Result<std::string> value_of(const KeyValue& item) {
    if (!item.value || item.value->empty()) {
        return fail(fmt::format("{} needs a value", in_quotes(item.key)));
    }
    return *item.value;
}

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
    const hw::MachineType* machine = hw::find_machine_type(name);
    if (machine == nullptr) {
        return fail(
            fmt::format("unknown machine {} (there is {})", in_quotes(name), names_of(hw::machine_types())));
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
        } else {
            return fail(fmt::format("machine {} has no property {}", in_quotes(name), in_quotes(item.key)));
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
    if (!list->items.empty()) {
        return fail(fmt::format("CPU {} has no property {}", in_quotes(*list->head),
                                in_quotes(list->items.front().key)));
    }
    raw.options.cpu = *list->head;
    return {};
}

Result<> parse_smp(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    std::optional<unsigned> cpus;
    std::optional<unsigned> max_cpus;
    const auto take = [](std::optional<unsigned>& to, const char* what, const std::string& text) -> Result<> {
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
        if (item.key == "cpus") {
            taken = take(cpus, "cpus", item.value.value_or(""));
        } else if (item.key == "maxcpus") {
            taken = take(max_cpus, "maxcpus", item.value.value_or(""));
        } else {
            return fail(
                fmt::format("unknown parameter {} (there are cpus and maxcpus)", in_quotes(item.key)));
        }
    }
    if (!taken) {
        return taken;
    }
    raw.options.cpus = cpus ? *cpus : max_cpus.value_or(1);
    raw.options.max_cpus = max_cpus.value_or(raw.options.cpus);
    if (raw.options.max_cpus < raw.options.cpus) {
        return fail(
            fmt::format("maxcpus ({}) is less than cpus ({})", raw.options.max_cpus, raw.options.cpus));
    }
    return {};
}

Result<> parse_memory(RawOptions& raw, const std::string& value) {
    std::string text = value;
    if (text.starts_with("size=")) {
        text.erase(0, 5);
    }
    const std::optional<uint64_t> size = parse_size(text, kMiB);
    if (!size) {
        return fail(fmt::format("invalid size {} (a number with a suffix K, M, G or T; MiB without one)",
                                in_quotes(text)));
    }
    if (*size < kMinMemory || *size > kMaxMemory) {
        return fail(fmt::format("the size must be from {} to {}, not {}", format_size(kMinMemory),
                                format_size(kMaxMemory), in_quotes(text)));
    }
    if (*size % 4096 != 0) {
        return fail(fmt::format("the size must be a multiple of 4K, not {}", in_quotes(text)));
    }
    raw.options.memory_bytes = *size;
    return {};
}

Result<> parse_serial(RawOptions& raw, const std::string& value) {
    if (raw.serial) {
        return fail("the board has one serial port, and it is spoken for");
    }
    SerialChoice serial;
    if (value == "stdio") {
        serial.kind = SerialChoice::Kind::stdio;
    } else if (value == "mon:stdio") {
        serial.kind = SerialChoice::Kind::mux_stdio;
    } else if (value == "null" || value == "none") {
        serial.kind = SerialChoice::Kind::null;
    } else if (value.starts_with("file:") && value.size() > 5) {
        serial.kind = SerialChoice::Kind::file;
        serial.path = value.substr(5);
    } else {
        return fail(fmt::format("{} is none of stdio, mon:stdio, file:PATH, null, none", in_quotes(value)));
    }
    raw.serial = std::move(serial);
    return {};
}

Result<> parse_monitor(RawOptions& raw, const std::string& value) {
    if (value != "stdio" && value != "none") {
        return fail(fmt::format("{} is neither stdio nor none", in_quotes(value)));
    }
    raw.monitor = value == "stdio";
    return {};
}

Result<> parse_drive(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, false);
    if (!list) {
        return std::unexpected(list.error());
    }
    DriveChoice drive;
    for (const KeyValue& item : list->items) {
        if (item.key == "readonly" || item.key == "read-only") {
            const Result<bool> on = switch_of(item);
            if (!on) {
                return std::unexpected(on.error());
            }
            drive.read_only = *on;
            continue;
        }
        const Result<std::string> text = value_of(item);
        if (item.key == "file" || item.key == "id" || item.key == "format" || item.key == "if") {
            if (!text) {
                return std::unexpected(text.error());
            }
        }
        if (item.key == "file") {
            drive.file = *text;
        } else if (item.key == "id") {
            drive.id = *text;
        } else if (item.key == "format") {
            if (*text != "raw") {
                return fail(fmt::format("unknown image format {} (there is 'raw')", in_quotes(*text)));
            }
            drive.probe = false;
        } else if (item.key == "if") {
            if (*text != "none" && *text != "virtio") {
                return fail(fmt::format("if is 'none' or 'virtio', not {}", in_quotes(*text)));
            }
            drive.attach = *text == "virtio";
        } else {
            return fail(fmt::format("unknown parameter {} (there are file, format, if, id and readonly)",
                                    in_quotes(item.key)));
        }
    }
    if (drive.file.empty()) {
        return fail("a file must be named: file=PATH");
    }
    const auto same_id = [&](const DriveChoice& other) { return !drive.id.empty() && other.id == drive.id; };
    if (std::ranges::any_of(raw.options.drives, same_id)) {
        return fail(fmt::format("two drives have the id {}", in_quotes(drive.id)));
    }
    raw.options.drives.push_back(std::move(drive));
    return {};
}

Result<> parse_device(RawOptions& raw, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    if (!list->head) {
        return fail("the device's name comes first: NAME[,property=value...]");
    }
    if (is_help(*list->head)) {
        request_help(raw, HelpTopic::devices);
        return {};
    }
    const bool wants_help = std::ranges::any_of(
        list->items, [](const KeyValue& item) { return !item.value && is_help(item.key); });
    const hw::DeviceType* type = hw::find_device_type(*list->head);
    if (type == nullptr) {
        return fail(fmt::format("unknown device {} (-device help lists them)", in_quotes(*list->head)));
    }
    if (wants_help) {
        request_help(raw, HelpTopic::device_properties, *list->head);
        return {};
    }
    Result<hw::DeviceConfig> config = hw::DeviceConfig::parse(*type, list->items);
    if (!config) {
        return std::unexpected(config.error());
    }
    raw.devices.push_back(std::move(*config));
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
