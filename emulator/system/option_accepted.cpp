// Options that ask for what is so anyway. Whoever asks for something else is told that it is missing.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/system/option_json.h"
#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

Result<> only_none(const std::string& value, const char* missing) {
    if (value != "none") {
        return fail(fmt::format("{} is not supported: {} ('none' is accepted)", in_quotes(value), missing));
    }
    return {};
}

struct Key {
    const char* name;
    const char* values;  // with | between them; nullptr: any
};

// A list of keys, each with one of its values; the first key's name may be left out.
Result<> accept_keys(const std::string& value, std::span<const Key> keys) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    std::vector<KeyValue> items = list->items;
    if (list->head) {
        items.insert(items.begin(), {keys.front().name, list->head});
    }
    for (const KeyValue& item : items) {
        const auto key = std::ranges::find(keys, item.key, &Key::name);
        if (key == keys.end()) {
            return fail(
                fmt::format("unknown parameter {} (there are {})", in_quotes(item.key), names_of(keys)));
        }
        const std::string given = item.value.value_or("on");
        if (key->values != nullptr) {
            const std::vector<std::string> values = split(key->values, '|');
            if (std::ranges::find(values, given) == values.end()) {
                return fail(fmt::format("{}={} is not supported (only {})", item.key, given, key->values));
            }
        }
    }
    return {};
}

}  // namespace

Result<> accept_display(RawOptions&, const std::string& value) {
    return only_none(value, "there is no display");
}

Result<> accept_vga(RawOptions&, const std::string& value) { return only_none(value, "there is no display"); }

Result<> accept_parallel(RawOptions&, const std::string& value) {
    return value == "null" ? Result<>() : only_none(value, "the board has no parallel port");
}

Result<> accept_name(RawOptions& raw, const std::string& value) {
    static constexpr Key kKeys[] = {{"guest", nullptr}, {"process", nullptr}, {"debug-threads", "on|off"}};
    if (Result<> accepted = accept_keys(value, kKeys); !accepted) {
        return accepted;
    }
    const Result<KeyValueList> list = parse_key_values(value, true);
    raw.options.name = list->head.value_or("");
    for (const KeyValue& item : list->items) {
        if (item.key == "guest") {
            raw.options.name = item.value.value_or("");
        }
    }
    return {};
}

Result<> accept_uuid(RawOptions& raw, const std::string& value) {
    constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    const auto fits = [](char form, char given) {
        return form == '-' ? given == '-' : std::isxdigit(static_cast<unsigned char>(given)) != 0;
    };
    if (value.size() != kForm.size() || !std::ranges::equal(kForm, value, fits)) {
        return fail(fmt::format("{} is no UUID", in_quotes(value)));
    }
    raw.options.uuid = value;
    return {};
}

Result<> accept_boot(RawOptions&, const std::string& value) {
    static constexpr Key kKeys[] = {{"order", nullptr},       {"once", nullptr},
                                    {"menu", "on|off"},       {"splash", nullptr},
                                    {"splash-time", nullptr}, {"reboot-timeout", nullptr},
                                    {"reboot-time", nullptr}, {"strict", "on|off"}};
    return accept_keys(value, kKeys);
}

Result<> accept_overcommit(RawOptions&, const std::string& value) {
    static constexpr Key kKeys[] = {{"mem-lock", "off"}, {"cpu-pm", "off"}};
    return accept_keys(value, kKeys);
}

Result<> accept_msg(RawOptions&, const std::string& value) {
    static constexpr Key kKeys[] = {{"timestamp", "on|off"}, {"guest-name", "on|off"}};
    return accept_keys(value, kKeys);
}

// Nothing here is deprecated or unstable.
Result<> accept_compat(RawOptions&, const std::string& value) {
    static constexpr Key kKeys[] = {{"deprecated-input", "accept|reject|crash"},
                                    {"deprecated-output", "accept|hide"},
                                    {"unstable-input", "accept|reject|crash"},
                                    {"unstable-output", "accept|hide"}};
    return accept_keys(value, kKeys);
}

Result<> accept_run_with(RawOptions&, const std::string& value) {
    static constexpr Key kKeys[] = {{"async-teardown", "off"}, {"exit-with-parent", "off"}};
    return accept_keys(value, kKeys);
}

Result<> accept_audiodev(RawOptions&, const std::string& value) {
    const Result<KeyValueList> list = parse_option(value, "driver");
    if (!list) {
        return std::unexpected(list.error());
    }
    return only_none(list->head.value_or(""), "there is no sound");
}

Result<> accept_keyboard(RawOptions&, const std::string&) { return {}; }

Result<> parse_escape(RawOptions& raw, const std::string& value) {
    const std::optional<uint64_t> byte = parse_uint(value);
    if (!byte || *byte < 1 || *byte > 31) {
        return fail(
            fmt::format("{} is no number of a control character (1 to 31; 1 is Ctrl-A)", in_quotes(value)));
    }
    raw.options.escape = static_cast<uint8_t>(*byte);
    return {};
}

std::string_view refused_option(std::string_view name) {
    static constexpr struct {
        std::string_view name, reason;
    } kRefused[] = {
        {"acpitable", "there are no ACPI tables"},
        {"audio", "there is no sound (-audiodev none is accepted)"},
        {"debugcon", "there is no debug port"},
        {"dump-vmstate", "saved machines have weft's own format (docs/saved-machines.md)"},
        {"enable-kvm", "there is no KVM: guests are emulated (-accel tcg)"},
        {"enable-sync-profile", "the emulator's locks are not measured"},
        {"fda", "there is no floppy disk"},
        {"fdb", "there is no floppy disk"},
        {"full-screen", "there is no display"},
        {"iscsi", "there are no disks over iSCSI"},
        {"mtdblock", "flash memories are given by -drive if=pflash"},
        {"only-migratable", "what cannot be saved says so when the machine is to be saved"},
        {"option-rom", "there are no option ROMs"},
        {"plugin", "there are no plugins for instrumentation"},
        {"preconfig", "the machine is made at once (-S: it does not run yet)"},
        {"readconfig", "options are given on the command line alone"},
        {"sd", "there is no memory card"},
        {"seed", "random numbers are the host's (with -icount they are the same in each run)"},
        {"set", "properties are given where a thing is made, or by -global"},
        {"shim", "-kernel is run as it is; EDK2 may load a shim from a disk"},
        {"smbios", "there are no SMBIOS tables"},
        {"spice", "there is no display"},
        {"tpmdev", "there is no TPM"},
        {"trace", "there are no trace events (-d logs what happens)"},
        {"usb", "there is no USB"},
        {"usbdevice", "there is no USB"},
        {"vnc", "there is no display"},
        {"watchdog", "there is no watchdog"},
    };
    const auto row = std::ranges::find(kRefused, name, [](const auto& one) { return one.name; });
    return row == std::end(kRefused) ? std::string_view() : row->reason;
}

// What the host's kernel would forbid the process must not be promised.
Result<> accept_sandbox(RawOptions&, const std::string& value) {
    const Result<KeyValueList> list = parse_key_values(value, true);
    if (!list) {
        return std::unexpected(list.error());
    }
    std::string enable = list->head.value_or("");
    for (const KeyValue& item : list->items) {
        if (item.key == "enable") {
            enable = item.value.value_or("on");
        }
    }
    return parse_bool(enable) == false ? Result<>()
                                       : fail("there is no filter of system calls ('off' is accepted)");
}

Result<> accept_watchdog_action(RawOptions& raw, const std::string& value) {
    return parse_action(raw, "watchdog=" + value);
}

Result<> parse_action(RawOptions& raw, const std::string& value) {
    // There is neither a device that tells of a guest's panic nor a watchdog.
    static constexpr Key kKeys[] = {{"reboot", "reset|shutdown"},
                                    {"shutdown", "poweroff|pause"},
                                    {"panic", "pause|shutdown|exit-failure|none"},
                                    {"watchdog", "reset|shutdown|poweroff|inject-nmi|pause|debug|none"}};
    if (Result<> accepted = accept_keys(value, kKeys); !accepted) {
        return accepted;
    }
    const Result<KeyValueList> list = parse_key_values(value, false);
    if (!list) {
        return std::unexpected(list.error());
    }
    for (const KeyValue& item : list->items) {
        if (item.key == "reboot") {
            raw.options.no_reboot = item.value == "shutdown";
        } else if (item.key == "shutdown") {
            raw.options.no_shutdown = item.value == "pause";
        }
    }
    return {};
}

}  // namespace weft::sys
