// -semihosting and -semihosting-config.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/system/option_values.h"

namespace weft::sys {

using Kind = SerialChoice::Kind;

Result<> parse_semihosting(RawOptions& raw, const std::string&) {
    raw.semihosting = true;
    return {};
}

Result<> parse_semihosting_config(RawOptions& raw, const std::string& value) {
    Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    if (list->head) {
        list->items.insert(list->items.begin(), {"enable", list->head});
    }
    raw.semihosting = true;
    SemihostingChoice& choice = raw.semihosting_choice;
    for (const KeyValue& item : list->items) {
        if (item.key == "enable" || item.key == "userspace") {
            const Result<bool> on = switch_of(item);
            if (!on) {
                return std::unexpected(on.error());
            }
            (item.key == "enable" ? raw.semihosting : choice.user_mode) = *on;
        } else if (item.key == "target") {
            if (item.value != "native" && item.value != "auto") {
                return fail(fmt::format(
                    "target={} is not supported: the emulator does the calls itself (native, auto)",
                    item.value.value_or("")));
            }
        } else if (item.key == "arg") {
            choice.arguments.push_back(item.value.value_or(""));
        } else if (item.key == "chardev") {
            Result<std::string> id = value_of(item);
            if (!id) {
                return std::unexpected(id.error());
            }
            choice.line.emplace();
            choice.line->id = std::move(*id);
        } else {
            return fail(
                fmt::format("unknown parameter {} (there are enable, target, chardev, userspace and arg)",
                            in_quotes(item.key)));
        }
    }
    return {};
}

Result<> choose_semihosting(RawOptions& raw) {
    Options& options = raw.options;
    if (!raw.semihosting) {
        return {};
    }
    SemihostingChoice choice = raw.semihosting_choice;
    if (choice.line) {
        const std::string id = choice.line->id;
        if (Result<> found = look_up_chardev(raw, *choice.line); !found) {
            return std::unexpected(found.error().within("-semihosting-config"));
        }
        const auto is_it = [&id](const SerialChoice& line) { return line.id == id; };
        const auto has_it = [&](const std::optional<SerialChoice>& line) { return line && is_it(*line); };
        const bool qmp = std::ranges::any_of(options.qmp, is_it, &QmpChoice::line);
        if (is_it(options.serial)) {
            choice.shared = true;
            choice.line.reset();
        } else if (has_it(options.monitor) || has_it(options.gdb) || qmp) {
            return fail(fmt::format("-semihosting-config: chardev {} is used already", in_quotes(id)));
        } else if (choice.line->kind == Kind::mux_stdio || choice.line->shared) {
            return fail(fmt::format(
                "-semihosting-config: chardev {} can be shared with the serial port alone", in_quotes(id)));
        } else if (const bool taken = on_stdio(options.serial) || options.monitor_on_stdio ||
                                      options.daemonize ||
                                      std::ranges::any_of(options.qmp, on_stdio, &QmpChoice::line) ||
                                      (options.gdb && on_stdio(*options.gdb));
                   on_stdio(*choice.line) && taken) {
            return fail("-semihosting-config: stdio is another's (-serial null -monitor none)");
        }
    }
    options.semihosting = std::move(choice);
    return {};
}

}  // namespace weft::sys
