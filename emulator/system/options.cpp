#include "emulator/system/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/option_table.h"
#include "emulator/backend/stream/channel.h"
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

template <auto member>
Result<> set_raw(RawOptions& raw, const std::string&) {
    raw.*member = true;
    return {};
}

Result<> set_append(RawOptions& raw, const std::string& value) {
    raw.options.append = value;  // may be empty
    return {};
}

Result<> set_incoming(RawOptions& raw, const std::string& value) {
    if (value != "defer") {
        if (Result<> known = backend::Channel::check(value); !known) {
            return known;
        }
    }
    raw.options.incoming = value;
    return {};
}

Result<> set_no_defaults(RawOptions& raw, const std::string&) {
    raw.no_defaults = true;
    return {};
}

Result<> set_snapshot(RawOptions& raw, const std::string&) {
    raw.snapshot = true;
    return {};
}

Result<> add_firmware_dir(RawOptions& raw, const std::string& value) {
    raw.options.firmware_dirs.push_back(value);
    return {};
}

Result<> accept_flag(RawOptions&, const std::string&) { return {}; }

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
    {"machine", "M", "NAME[,dumpdtb=FILE][,pflashN=ID][,memory-backend=ID]", nullptr, parse_machine,
     "the board: virt ('help' lists them); dumpdtb writes its device tree\n"
     "and exits. none: no machine, just the monitor and QMP"},
    {"cpu", nullptr, "NAME[,PROPERTY=on|off...]", nullptr, parse_cpu,
     "the harts' model ('help' lists them), and extensions it is to have or not"},
    {"smp", nullptr, "N|cpus=N[,maxcpus=M][,sockets=,cores=,threads=]", nullptr, parse_smp,
     "number of harts, 1 to 512 (1); what the levels say must agree with it"},
    {"m", nullptr, "[size=]SIZE", nullptr, parse_memory,
     "size of RAM, in MiB or with a suffix K, M, G or T (128M)"},
    {"mem-path", nullptr, "PATH", nullptr, parse_memory_path,
     "RAM lies in this file, or in a temporary one of this folder"},
    {"mem-prealloc", nullptr, nullptr, nullptr, set_raw<&RawOptions::memory_populate>,
     "all of the RAM is there before the guest runs, or the program ends"},
    {"numa", nullptr, "node[,nodeid=N][,cpus=FIRST[-LAST]][,memdev=ID]", nullptr, parse_numa,
     "a node of the RAM, in an object, and harts near it; may be repeated"},
};

constexpr OptionDesc kBootOptions[] = {
    {"bios", nullptr, "default|none|FILE", nullptr, set_text<&Options::bios>,
     "firmware: OpenSBI's fw_dynamic.bin as found in WEFT_FIRMWARE_DIR, in the\n"
     "folder firmware beside the program, or where Debian's package opensbi and\n"
     "QEMU put it; none; or this file"},
    {"L", nullptr, "DIR", nullptr, add_firmware_dir, "look for firmware here first"},
    {"kernel", nullptr, "FILE", nullptr, set_text<&Options::kernel>,
     "kernel: an Image, packed with gzip or not, or an ELF file"},
    {"initrd", nullptr, "FILE", nullptr, set_text<&Options::initrd>, "initial RAM disk for the kernel"},
    {"append", nullptr, "TEXT", nullptr, set_append, "the kernel's command line"},
    {"fw_cfg", nullptr, "[name=]NAME,file=PATH|string=TEXT", nullptr, parse_fw_cfg,
     "data that firmware and kernels read from QEMU's configuration device"},
    {"dtb", nullptr, "FILE", nullptr, set_text<&Options::dtb>,
     "a device tree to use instead of the board's own"},
};

constexpr OptionDesc kDeviceOptions[] = {
    {"serial", nullptr, "LINE", nullptr, parse_serial,
     "where the serial port goes: stdio, file:PATH, pty, null, none, chardev:ID,\n"
     "tcp:HOST:PORT[,server][,nowait], telnet:..., unix:PATH[,server][,nowait], or\n"
     "mon:LINE, which shares it with the monitor (mon:stdio is the default):\n"
     "Ctrl-A h tells its keys"},
    {"monitor", nullptr, "LINE", nullptr, parse_monitor, "the monitor's own line: stdio, none, pty, tcp:..."},
    {"chardev", nullptr, "stdio|null|file|pty|socket,id=ID[,KEY=VALUE...]", nullptr, parse_chardev,
     "a line that -serial and -monitor name as chardev:ID; mux=on: both may;\n"
     "file: path=, append=; socket: path=, host= and port= or fd=; server=, wait=,\ntelnet="},
    {"mon", nullptr, "chardev=ID[,mode=readline|control][,pretty=on]", nullptr, parse_mon,
     "the same as -monitor chardev:ID, or with mode=control as -qmp"},
    {"qmp", nullptr, "LINE", nullptr, parse_qmp,
     "QEMU's machine protocol on a line: unix:PATH,server=on,wait=off, tcp:...,\n"
     "stdio, chardev:ID; may be given several times"},
    {"qmp-pretty", nullptr, "LINE", nullptr, parse_qmp_pretty, "the same, laid out for people"},
    {"echr", nullptr, "N", nullptr, parse_escape,
     "the control character that begins the terminal's commands, instead of 1,\nCtrl-A"},
    {"nographic", nullptr, nullptr, nullptr, set_nographic,
     "the terminal is all there is: serial port and monitor share it (there is no\n"
     "other display; accepted for habit's sake)"},
    {"drive", nullptr, "file=PATH[,format=raw|qcow2][,if=virtio|none|pflash][,id=ID][,readonly=]", nullptr,
     parse_drive,
     "a disk image; if=virtio (the default) makes a disk of it, if=none leaves\n"
     "that to -device, if=pflash,unit=N makes it flash memory N. Commas in PATH\n"
     "are doubled. Without format=, the signature tells whether it is raw or qcow2,\n"
     "and other formats are refused. discard=unmap gives back what is discarded"},
    {"pflash", nullptr, "FILE", nullptr, parse_flash,
     "the same as -drive if=pflash,file=FILE: the image, of 32 MiB, of the next of\ntwo flash memories"},
    {"hda", "hdb", "FILE", nullptr, parse_hard_disk, "the same as -drive file=FILE, as are -hdc and -hdd"},
    {"hdc", "hdd", "FILE", nullptr, parse_hard_disk, "the same as -drive file=FILE"},
    {"cdrom", nullptr, "FILE", nullptr, parse_cdrom,
     "the same as -drive file=FILE,media=cdrom: a disk that is only read"},
    {"blockdev", nullptr, "driver=raw|qcow2|file,node-name=NAME[,KEY=VALUE...]", nullptr, parse_blockdev,
     "a node that -device names as its drive: file.filename=PATH with raw or\n"
     "qcow2, filename=PATH with file; read-only=on"},
    {"snapshot", nullptr, nullptr, nullptr, set_snapshot,
     "what is written to disks goes to temporary files, and is gone at the end"},
    {"device", nullptr, "NAME[,PROPERTY=VALUE...]", nullptr, parse_device,
     "add a device: virtio-blk-device,drive=ID ('help' lists them, 'NAME,help' its\n"
     "properties); bus=virtio-mmio-bus.N chooses its place, 0 to 7; else the\n"
     "highest that is free"},
    {"global", nullptr, "DRIVER.PROPERTY=VALUE", nullptr, parse_global,
     "a property of all devices of a kind, or of a part of the board;\n"
     "virtio-mmio.force-legacy=false: virtio registers of version 2"},
    {"object", nullptr, "TYPE,id=ID[,PROPERTY=VALUE...]", nullptr, parse_object,
     "something that others refer to: random bytes, rng-random,filename=FILE of a\n"
     "file or rng-builtin of the kernel; memory-backend-ram,size=SIZE, -memfd and\n"
     "-file,mem-path=PATH, the board's RAM by -machine memory-backend=ID or -numa;\n"
     "secret and iothread, which nothing here needs"},
    {"netdev", nullptr, "user,id=ID[,hostfwd=[tcp|udp]:[ADDR]:PORT-[ADDR]:PORT...]", nullptr, parse_netdev,
     "a network for a -device virtio-net-device,netdev=ID; the host is the guest's\n"
     "10.0.2.2, hostfwd (any number of them) leads a port of the host to the guest;\n"
     "also net=, host=, dhcpstart=, dns=, hostname=, restrict=on, guestfwd=, tftp=,\nbootfile=, ipv4=, "
     "ipv6=. Other kinds are lines to another machine, a\nswitch or the kernel: stream, dgram, socket, "
     "tap"},
    {"nic", nullptr, "user|none[,model=virtio][,mac=MAC][,...]", nullptr, parse_nic,
     "a network card and its network at once; the rest as for -netdev"},
    {"fsdev", nullptr, "local,id=ID,path=DIR,security_model=none|...[,KEY=VALUE...]", nullptr, parse_fsdev,
     "a folder that a -device virtio-9p-pci,fsdev=ID,mount_tag=TAG shares with the\n"
     "guest; security_model: none, passthrough or mapped-xattr; readonly=on,\n"
     "multidevs=remap|forbid|warn, writeout=immediate, fmode=, dmode="},
    {"virtfs", nullptr, "local,path=DIR,mount_tag=TAG,security_model=none|...[,KEY=VALUE...]", nullptr,
     parse_virtfs, "such a folder and its device, virtio-9p-pci, at once; the rest as for -fsdev"},
    {"net", nullptr, "none", nullptr, parse_net, "no network, as without this option"},
};

constexpr OptionDesc kRunOptions[] = {
    {"no-reboot", nullptr, nullptr, nullptr, set_flag<&Options::no_reboot>,
     "exit where the guest asks for a reset"},
    {"no-shutdown", nullptr, nullptr, nullptr, set_flag<&Options::no_shutdown>,
     "stay, without running, where the guest powers off: QMP and the monitor may\nreset it or quit"},
    {"action", nullptr, "[reboot=reset|shutdown][,shutdown=poweroff|pause]", nullptr, parse_action,
     "what becomes of the guest's wishes: reboot=shutdown is -no-reboot,\n"
     "shutdown=pause is -no-shutdown; panic= and watchdog= are accepted"},
    {"rtc", nullptr, "[base=utc|localtime|DATE][,clock=host|rt|vm]", nullptr, parse_rtc,
     "what the guest's clock of the day shows at first: UTC (the default), the time\n"
     "here or YYYY-MM-DD[THH:MM:SS]; with clock=rt or vm it does not follow changes\n"
     "of the host's clock"},
    {"icount", nullptr, "shift=N|auto[,align=off][,sleep=on|off]", nullptr, parse_icount,
     "guest time is that of instructions, 2^N ns each, so that runs are equal (but\n"
     "with auto): -accel tcg,thread=single,clock=insn,insn-shift=N"},
    {"S", nullptr, nullptr, nullptr, set_flag<&Options::start_stopped>,
     "do not start; the monitor's 'cont' does"},
    {"incoming", nullptr, "URI|defer", nullptr, set_incoming,
     "load a machine that was saved by 'migrate' from file:PATH, exec:COMMAND,\n"
     "unix:PATH, tcp:HOST:PORT or fd:N; defer: from where the monitor or QMP says"},
    {"loadvm", nullptr, "NAME", nullptr, set_text<&Options::load_snapshot>,
     "begin as the monitor's 'savevm NAME' has kept machine and disks"},
    {"add-fd", nullptr, "fd=N,set=N[,opaque=TEXT]", nullptr, parse_add_fd,
     "a descriptor that the program inherits becomes a member of a set, which\n"
     "images and files of lines name as /dev/fdset/N"},
    {"pidfile", nullptr, "FILE", nullptr, set_text<&Options::pid_file>,
     "write the process's number there; removed at the end"},
    {"daemonize", nullptr, nullptr, nullptr, set_flag<&Options::daemonize>,
     "go to the background once the machine is made"},
    {"nodefaults", nullptr, nullptr, nullptr, set_no_defaults,
     "no serial port and no monitor but those that are asked for"},
};

constexpr OptionDesc kAcceptedOptions[] = {
    {"no-user-config", nullptr, nullptr, nullptr, accept_flag, "there is no such file"},
    {"display", nullptr, "none", nullptr, accept_display, "there is no display"},
    {"vga", nullptr, "none", nullptr, accept_vga, "there is no display"},
    {"parallel", nullptr, "none", nullptr, accept_parallel, "there is no parallel port"},
    {"name", nullptr, "TEXT", nullptr, accept_name, "a name that the monitor and QMP tell"},
    {"uuid", nullptr, "UUID", nullptr, accept_uuid, "the monitor and QMP tell it; the guest does not"},
    {"k", nullptr, "LANGUAGE", nullptr, accept_keyboard, "there is no keyboard"},
    {"boot", nullptr, "[order=...][,menu=on|off]", nullptr, accept_boot, "the board's firmware does not ask"},
    {"overcommit", nullptr, "[mem-lock=off][,cpu-pm=off]", nullptr, accept_overcommit,
     "memory is not locked"},
    {"msg", nullptr, "[timestamp=on|off]", nullptr, accept_msg, "messages have no time"},
    {"audiodev", nullptr, "none,id=ID", nullptr, accept_audiodev, "there is no sound"},
    {"compat", nullptr, "[deprecated-input=...][,unstable-input=...]", nullptr, accept_compat,
     "nothing is deprecated"},
    {"run-with", nullptr, "[async-teardown=off]", nullptr, accept_run_with, "it ends like others"},
    {"watchdog-action", nullptr, "ACTION", nullptr, accept_watchdog_action, "there is no watchdog"},
    {"sandbox", nullptr, "off", nullptr, accept_sandbox, "system calls are not filtered"},
};

constexpr OptionDesc kDebugOptions[] = {
    {"semihosting", nullptr, nullptr, nullptr, parse_semihosting,
     "let the guest use files and standard streams of the host (RISC-V\n"
     "semihosting): trust it as you trust a program"},
    {"semihosting-config", nullptr, "[enable=]on|off[,PARAMETER=VALUE...]", nullptr, parse_semihosting_config,
     "the same; chardev=ID: the console instead of standard error; userspace=on:\n"
     "for U mode as well; arg=TEXT, any number of them: the guest's command line;\n"
     "target=native|auto"},
    {"gdb", nullptr, "tcp:[HOST]:PORT|unix:PATH[,server=on]|stdio|pty|chardev:ID|none", nullptr, parse_gdb,
     "let a debugger come there ('target remote'); with -S the machine waits for it"},
    {"s", nullptr, nullptr, nullptr, parse_gdb_usual, "the same as -gdb tcp::1234"},
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
    {"Running", kRunOptions},     {"Debugging", kDebugOptions}, {"Accepted without effect", kAcceptedOptions},
    {"Help", kHelpOptions},
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
            const std::string_view reason = refused_option(name);
            return reason.empty()
                       ? fail(fmt::format("unknown option {} (-help lists them)", in_quotes(arguments[i])))
                       : fail(fmt::format("-{}: {}", name, reason));
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
    if (options.cpu.empty()) {
        options.cpu = options.machine->cpu_models().front().name;
    }
    if (Result<> there = options.machine->check_cpu(options.cpu); !there) {
        return std::unexpected(there.error().within("-cpu"));
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
        const auto many = [](const KeyValue& property) {
            return property.key == "thread" && property.value == "multi";
        };
        if (!raw.insn_clock.empty() && std::ranges::any_of(accel.properties, many)) {
            return fail("-icount: excludes thread=multi of -accel");
        }
        for (const auto& [name, setting] : raw.insn_clock) {
            accel.properties.push_back({name, setting});
        }
    }
    return {};
}

Result<> check_saved(const Options& options) {
    if (options.load_snapshot && options.incoming) {
        return fail("-loadvm and -incoming exclude each other");
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
        for (const auto step : {choose_machine, choose_accelerators, choose_lines, choose_semihosting,
                                choose_blocks, choose_flash, choose_devices, choose_device_lines,
                                check_references, choose_memory, check_networks, choose_descriptors}) {
            done = done ? step(raw) : done;
        }
        done = done ? check_boot(raw.options) : done;
        done = done ? check_saved(raw.options) : done;
    }
    if (!done) {
        return std::unexpected(done.error());
    }
    return std::move(raw.options);
}

std::string usage_text(const std::string& version) {
    std::string text =
        fmt::format("{0} (QEMU-compatible) version {1}\nUsage: {0} [OPTION]...\nRuns a RISC-V machine.\n",
                    kProgramName, version);
    text += options_text<RawOptions>(kGroups);
    text +=
        "\nEnvironment:\n"
        "  WEFT_MODULE_DIR    folders with accelerator modules, separated by ':'\n"
        "  WEFT_FIRMWARE_DIR  folder with fw_dynamic.bin\n"
        "\nThe exit code is the guest's where it ends the machine through the board's test\n"
        "finisher, 0 where it powers off, and 1 after an error, told in one line.\n";
    return text;
}

std::vector<std::string> names_of_options_with_values() {
    std::vector<std::string> names;
    for (const OptionGroup& group : kGroups) {
        for (const OptionDesc& option : group.options) {
            // Who finds -sandbox here relies on it.
            if (option.argument != nullptr && option.apply != accept_sandbox) {
                names.emplace_back(option.name);
            }
        }
    }
    return names;
}

std::string machines_text() {
    std::string text = "Supported machines are:\n";
    for (const hw::MachineType& type : hw::machine_types()) {
        text += fmt::format("{:<20} {}, up to {} CPUs and {} devices{}\n", type.name, type.description,
                            type.max_cpus, type.max_devices,
                            &type == &hw::machine_types().front() ? " (default)" : "");
    }
    text += fmt::format("{:<20} no machine, for QMP\n", "none");
    text += "Each has the property accel=NAME[:NAME...], the accelerators to try.\n";
    return text;
}

std::string cpus_text() {
    std::string text;
    for (const hw::MachineType& type : hw::machine_types()) {
        text += fmt::format("Available CPUs (of {}):\n", type.name);
        const std::vector<hw::CpuChoice> models = type.cpu_models();
        for (const hw::CpuChoice& model : models) {
            text += fmt::format("  {}  {}{}\n", model.name, model.description,
                                &model == &models.front() ? " (default)" : "");
        }
    }
    return text;
}

std::string devices_text() {
    std::vector<const hw::DeviceType*> types(hw::device_types().begin(), hw::device_types().end());
    types.push_back(&kLoaderType);
    return hw::device_types_text(types);
}

Result<std::string> device_text(const std::string& name) {
    const hw::DeviceType* type = name == kLoaderType.name ? &kLoaderType : hw::find_device_type(name);
    return type != nullptr ? hw::device_properties_text(*type) : std::string();
}

}  // namespace weft::sys
