#include "emulator/system/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/option_table.h"
#include "emulator/hw/device_types.h"
#include "emulator/hw/machine_types.h"
#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

using OptionDesc = weft::OptionDesc<RawOptions>;
using OptionGroup = weft::OptionGroup<RawOptions>;

template <auto member>
Result<> set_text(RawOptions& raw, const std::string& value) {
    if (value.empty()) {
        return fail("the value is empty");
    }
    raw.options.*member = value;
    return {};
}

template <auto member>
Result<> set_flag(RawOptions& raw, const std::string&) {
    raw.options.*member = true;
    return {};
}

Result<> set_append(RawOptions& raw, const std::string& value) {
    raw.options.append = value;  // may be empty
    return {};
}

Result<> set_nographic(RawOptions& raw, const std::string&) {
    raw.nographic = true;
    return {};
}

template <HelpTopic topic>
Result<> set_help(RawOptions& raw, const std::string&) {
    request_help(raw, topic);
    return {};
}

constexpr OptionDesc kMachineOptions[] = {
    {"accel", nullptr, "NAME[,PROPERTY=VALUE...]", nullptr, parse_accel,
     "run the guest with accelerator NAME; given several times, the first that\n"
     "works is used. Without: tcg. 'help' lists them, 'NAME,help' its properties"},
    {"module-dir", nullptr, "DIR", nullptr, set_text<&Options::module_dir>,
     "look for accelerator modules here before WEFT_MODULE_DIR and the program's\nown folders"},
    {"machine", "M", "NAME", nullptr, parse_machine, "the board: virt ('help' lists them)"},
    {"cpu", nullptr, "NAME", nullptr, parse_cpu, "the harts' model: rv64 ('help' lists them)"},
    {"smp", nullptr, "N|cpus=N[,maxcpus=M]", nullptr, parse_smp, "number of harts, 1 to 512 (1)"},
    {"m", nullptr, "SIZE", nullptr, parse_memory, "size of RAM, in MiB or with a suffix K, M, G or T (128M)"},
};

constexpr OptionDesc kBootOptions[] = {
    {"bios", nullptr, "default|none|FILE", nullptr, set_text<&Options::bios>,
     "firmware: OpenSBI's fw_dynamic.bin as found in WEFT_FIRMWARE_DIR, in the\n"
     "folder firmware beside the program, or where Debian's package opensbi and\n"
     "QEMU put it; none; or this file"},
    {"kernel", nullptr, "FILE", nullptr, set_text<&Options::kernel>,
     "kernel: an Image, packed with gzip or not, or an ELF file"},
    {"initrd", nullptr, "FILE", nullptr, set_text<&Options::initrd>, "initial RAM disk for the kernel"},
    {"append", nullptr, "TEXT", nullptr, set_append, "the kernel's command line"},
    {"dtb", nullptr, "FILE", nullptr, set_text<&Options::dtb>,
     "a device tree to use instead of the board's own"},
};

constexpr OptionDesc kDeviceOptions[] = {
    {"serial", nullptr, "stdio|mon:stdio|file:PATH|null|none", nullptr, parse_serial,
     "where the serial port goes; mon:stdio (the default) shares the terminal\n"
     "with the monitor: Ctrl-A h tells its keys"},
    {"monitor", nullptr, "stdio|none", nullptr, parse_monitor, "the monitor alone on the terminal, or none"},
    {"nographic", nullptr, nullptr, nullptr, set_nographic,
     "the terminal is all there is: serial port and monitor share it (there is no\n"
     "other display; accepted for habit's sake)"},
    {"drive", nullptr, "file=PATH[,format=raw][,if=virtio|none][,id=ID][,readonly=on|off]", nullptr,
     parse_drive,
     "a raw disk image; if=virtio (the default) makes a disk of it, if=none leaves\n"
     "that to -device. Commas in PATH are doubled. Without format=raw, files that\n"
     "look like images of other formats are refused"},
    {"device", nullptr, "NAME[,PROPERTY=VALUE...]", nullptr, parse_device,
     "add a device: virtio-blk-device,drive=ID ('help' lists them, 'NAME,help' its\nproperties)"},
    {"object", nullptr, "TYPE,id=ID[,PROPERTY=VALUE...]", nullptr, parse_object,
     "something that devices refer to: random bytes, rng-random,filename=FILE of a\n"
     "file or rng-builtin of the kernel"},
    {"netdev", nullptr, "user,id=ID[,hostfwd=[tcp|udp]:[ADDR]:PORT-[ADDR]:PORT...]", nullptr, parse_netdev,
     "a network for a -device virtio-net-device,netdev=ID; the host is the guest's\n"
     "10.0.2.2, hostfwd (any number of them) leads a port of the host to the guest;\n"
     "also net=, host=, dhcpstart=, dns=, hostname=, restrict=on, guestfwd=, tftp=,\nbootfile=, ipv4=, "
     "ipv6="},
    {"nic", nullptr, "user|none[,model=virtio][,mac=MAC][,...]", nullptr, parse_nic,
     "a network card and its network at once; the rest as for -netdev"},
    {"net", nullptr, "none", nullptr, parse_net, "no network, as without this option"},
};

constexpr OptionDesc kRunOptions[] = {
    {"no-reboot", nullptr, nullptr, nullptr, set_flag<&Options::no_reboot>,
     "exit where the guest asks for a reset"},
    {"S", nullptr, nullptr, nullptr, set_flag<&Options::start_stopped>,
     "do not start; the monitor's 'cont' does"},
};

constexpr OptionDesc kDebugOptions[] = {
    {"d", nullptr, "ITEM[,ITEM...]", nullptr, parse_log_items, "log these items ('help' lists them)"},
    {"D", nullptr, "FILE", nullptr, set_text<&Options::log_file>, "log to FILE instead of standard error"},
    {"perfmap", nullptr, nullptr, nullptr, set_flag<&Options::perf_map>,
     "list generated code for perf in /tmp/perf-PID.map (the same as\n-accel ...,perfmap=on)"},
    {"jitdump", nullptr, nullptr, nullptr, set_flag<&Options::jitdump>,
     "write generated code to jit-PID.dump, for 'perf record -k mono' and\n'perf inject --jit' (the same as "
     "-accel ...,jitdump=on)"},
    {"dfilter", nullptr, "RANGE[,RANGE...]", nullptr, set_text<&Options::log_filter>,
     "log code at these guest addresses only: FIRST..LAST, START+LENGTH or\nEND-LENGTH"},
};

constexpr OptionDesc kHelpOptions[] = {
    {"help", "h", nullptr, nullptr, set_help<HelpTopic::usage>, "this text"},
    {"version", nullptr, nullptr, nullptr, set_help<HelpTopic::version>, "the version"},
};

constexpr OptionGroup kGroups[] = {
    {"Machine", kMachineOptions}, {"Boot", kBootOptions},       {"Devices", kDeviceOptions},
    {"Running", kRunOptions},     {"Debugging", kDebugOptions}, {"Help", kHelpOptions},
};

Result<> parse_arguments(RawOptions& raw, std::span<const char* const> arguments) {
    for (size_t i = 0; i < arguments.size(); ++i) {
        std::string_view argument = arguments[i];
        if (argument.size() < 2 || argument[0] != '-') {
            return fail(
                fmt::format("{} is no option (disk images are given with -drive)", in_quotes(argument)));
        }
        argument.remove_prefix(argument.starts_with("--") ? 2 : 1);
        const size_t equals = argument.find('=');
        const std::string_view name = argument.substr(0, equals);
        const OptionDesc* option = find_option<RawOptions>(kGroups, name);
        if (option == nullptr) {
            return fail(fmt::format("unknown option {} (-help lists them)", in_quotes(arguments[i])));
        }
        std::string value;
        if (option->argument == nullptr) {
            if (equals != std::string_view::npos) {
                return fail(fmt::format("-{}: takes no value", name));
            }
        } else if (equals != std::string_view::npos) {
            value = argument.substr(equals + 1);
        } else if (++i < arguments.size()) {
            value = arguments[i];
        } else {
            return fail(fmt::format("-{}: needs a value: {}", name, option->argument));
        }
        if (Result<> applied = option->apply(raw, value); !applied) {
            return std::unexpected(applied.error().within(fmt::format("-{}", name)));
        }
    }
    return {};
}

Result<> choose_machine(RawOptions& raw) {
    Options& options = raw.options;
    if (options.machine == nullptr) {
        options.machine = &hw::machine_types().front();
    }
    if (options.max_cpus > options.machine->max_cpus) {
        return fail(fmt::format("-smp: machine {} has 1 to {} CPUs, not {}", in_quotes(options.machine->name),
                                options.machine->max_cpus, options.max_cpus));
    }
    const std::vector<hw::CpuChoice> models = options.machine->cpu_models();
    if (options.cpu.empty()) {
        options.cpu = models.front().name;
    }
    if (std::ranges::find(models, options.cpu, &hw::CpuChoice::name) == models.end()) {
        return fail(
            fmt::format("-cpu: unknown CPU {} (there is {})", in_quotes(options.cpu), names_of(models)));
    }
    return {};
}

Result<> choose_accelerators(RawOptions& raw) {
    Options& options = raw.options;
    if (!raw.machine_accels.empty()) {
        if (!options.accelerators.empty()) {
            return fail("-accel and the machine property accel exclude each other");
        }
        options.accelerators = std::move(raw.machine_accels);
    }
    if (options.accelerators.empty()) {
        options.accelerators.push_back({"tcg", {}});
    }
    for (loader::AccelChoice& accel : options.accelerators) {
        if (options.perf_map) {
            accel.properties.push_back({"perfmap", "on"});
        }
        if (options.jitdump) {
            accel.properties.push_back({"jitdump", "on"});
        }
    }
    return {};
}

// Who has the terminal: the serial port, the monitor or both.
Result<> choose_terminal(RawOptions& raw) {
    Options& options = raw.options;
    const bool serial_on_stdio = raw.serial && (raw.serial->kind == SerialChoice::Kind::stdio ||
                                                raw.serial->kind == SerialChoice::Kind::mux_stdio);
    if (raw.serial) {
        options.serial = *raw.serial;
    } else if (raw.monitor == true) {
        options.serial.kind = SerialChoice::Kind::null;
    } else if (raw.monitor == false) {
        options.serial.kind = SerialChoice::Kind::stdio;
    }
    if (raw.monitor == true && serial_on_stdio) {
        return fail("-serial and -monitor both ask for stdio (-serial mon:stdio shares it)");
    }
    options.monitor_on_stdio = raw.monitor.value_or(raw.nographic && raw.serial && !serial_on_stdio);
    return {};
}

Result<> choose_devices(RawOptions& raw) {
    Options& options = raw.options;
    std::vector<bool> used(options.drives.size(), false);
    for (size_t i = 0; i < options.drives.size(); ++i) {
        if (options.drives[i].attach) {
            options.devices.push_back({hw::DeviceConfig(*options.machine->disk), i});
            used[i] = true;
        }
    }
    for (hw::DeviceConfig& device : raw.devices) {
        const std::string& id = device.drive_id();
        std::optional<size_t> index;
        if (!id.empty()) {
            const auto drive = std::ranges::find(options.drives, id, &DriveChoice::id);
            if (drive == options.drives.end()) {
                return fail(fmt::format("-device: there is no drive with the id {}", in_quotes(id)));
            }
            index = static_cast<size_t>(drive - options.drives.begin());
            if (used[*index]) {
                return fail(fmt::format("-device: drive {} is in use already{}", in_quotes(id),
                                        drive->attach ? " (if=none leaves it to -device)" : ""));
            }
            used[*index] = true;
        }
        options.devices.push_back({std::move(device), index});
    }
    if (options.devices.size() > options.machine->max_devices) {
        return fail(fmt::format("-drive and -device: the board has slots for {} devices, not {}",
                                options.machine->max_devices, options.devices.size()));
    }
    return {};
}

Result<> check_boot(const Options& options) {
    if (!options.kernel) {
        if (options.initrd) {
            return fail("-initrd: needs -kernel");
        }
        if (options.append) {
            return fail("-append: needs -kernel");
        }
    }
    return {};
}

}  // namespace

Result<Options> parse_options(std::span<const char* const> arguments) {
    RawOptions raw;
    Result<> done = parse_arguments(raw, arguments);
    if (done && raw.options.help == HelpTopic::none) {
        for (const auto step : {choose_machine, choose_accelerators, choose_terminal, choose_devices,
                                check_references, check_networks}) {
            done = done ? step(raw) : done;
        }
        done = done ? check_boot(raw.options) : done;
    }
    if (!done) {
        return std::unexpected(done.error());
    }
    return std::move(raw.options);
}

std::string usage_text() {
    std::string text = fmt::format("Usage: {} [OPTION]...\nRuns a RISC-V machine.\n", kProgramName);
    text += options_text<RawOptions>(kGroups);
    text +=
        "\nEnvironment:\n"
        "  WEFT_MODULE_DIR    folders with accelerator modules, separated by ':'\n"
        "  WEFT_FIRMWARE_DIR  folder with fw_dynamic.bin\n"
        "\nThe exit code is the guest's where it ends the machine through the board's test\n"
        "finisher, 0 where it powers off, and 1 after an error, told in one line.\n";
    return text;
}

std::string machines_text() {
    std::string text = "Machines:\n";
    for (const hw::MachineType& type : hw::machine_types()) {
        text += fmt::format("  {}  {}, up to {} CPUs and {} devices{}\n", type.name, type.description,
                            type.max_cpus, type.max_devices,
                            &type == &hw::machine_types().front() ? " (default)" : "");
    }
    text += "Each has the property accel=NAME[:NAME...], the accelerators to try.\n";
    return text;
}

std::string cpus_text() {
    std::string text;
    for (const hw::MachineType& type : hw::machine_types()) {
        text += fmt::format("CPUs of {}:\n", type.name);
        const std::vector<hw::CpuChoice> models = type.cpu_models();
        for (const hw::CpuChoice& model : models) {
            text += fmt::format("  {}  {}{}\n", model.name, model.description,
                                &model == &models.front() ? " (default)" : "");
        }
    }
    return text;
}

std::string devices_text() { return hw::device_types_text(hw::device_types()); }

Result<std::string> device_text(const std::string& name) {
    const hw::DeviceType* type = hw::find_device_type(name);
    return type != nullptr ? hw::device_properties_text(*type) : std::string();
}

}  // namespace weft::sys
