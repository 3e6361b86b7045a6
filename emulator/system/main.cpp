// weft-system-riscv64: runs a RISC-V machine.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <new>

#include "base/log.h"
#include "base/messages.h"
#include "emulator/accel/accel_chain.h"
#include "emulator/accel/module_by_gmodule.h"
#include "emulator/machine/machine.h"
#include "emulator/machine/main_loop.h"
#include "emulator/semihosting/host.h"
#include "emulator/system/background.h"
#include "emulator/system/console.h"
#include "emulator/system/device_backends.h"
#include "emulator/system/gdb_line.h"
#include "emulator/system/live_devices.h"
#include "emulator/system/machine_facts.h"
#include "emulator/system/machine_options.h"
#include "emulator/system/memory_files.h"
#include "emulator/system/no_machine.h"
#include "emulator/system/option_files.h"
#include "emulator/system/options.h"
#include "emulator/system/signals.h"

namespace weft::sys {

namespace {

std::optional<std::string> environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::string program_dir() {
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

loader::AccelSources accel_sources(const Options& options) {
    return {
        .folders = loader::module_folders(options.module_dir, environment("WEFT_MODULE_DIR"), program_dir()),
        .open = loader::gmodule_symbol};
}

Result<std::string> help_text(const Options& options) {
    switch (options.help) {
        case HelpTopic::none:
            break;
        case HelpTopic::usage:
            return usage_text(WEFT_VERSION);
        case HelpTopic::version:
            return fmt::format("{} version {}\n", kProgramName, WEFT_VERSION);
        case HelpTopic::accels:
            return loader::accelerators_text(accel_sources(options));
        case HelpTopic::accel_properties: {
            const Result<const AccelDescriptor*> loaded =
                loader::load_accelerator(accel_sources(options), options.help_subject);
            return loaded ? Result<std::string>(loader::properties_text(**loaded))
                          : std::unexpected(loaded.error());
        }
        case HelpTopic::machines:
            return machines_text();
        case HelpTopic::cpus:
            return cpus_text();
        case HelpTopic::devices:
            return devices_text();
        case HelpTopic::device_properties:
            return device_text(options.help_subject);
        case HelpTopic::log_items:
            return log_items_help();
    }
    return std::string();
}

struct LogSettings {
    LogMask items;
    AddressFilter filter;
};

Result<LogSettings> parse_log(const Options& options) {
    LogSettings settings;
    if (!options.log_items.empty()) {
        const Result<LogMask> items = parse_log_items(options.log_items);
        if (!items) {
            return std::unexpected(items.error().within("-d"));
        }
        settings.items = *items;
    }
    if (!options.log_filter.empty()) {
        Result<AddressFilter> filter = AddressFilter::parse(options.log_filter);
        if (!filter) {
            return std::unexpected(filter.error().within("-dfilter"));
        }
        settings.filter = std::move(*filter);
    }
    return settings;
}

// Opens the images that devices and flash memories show.
Result<Drives> open_drives(const Options& options) {
    std::vector<std::optional<size_t>> shown = options.flash;
    std::ranges::transform(options.devices, std::back_inserter(shown), &DeviceChoice::drive);
    Drives drives(options.drives.size());
    for (const std::optional<size_t>& index : shown) {
        if (index) {
            auto opened = open_drive(options.drives[*index]);
            if (!opened) {
                return std::unexpected(opened.error());
            }
            drives[*index] = std::move(*opened);
        }
    }
    return drives;
}

std::vector<hw::DeviceConfig> connected_devices(const Options& options, const Drives& drives,
                                                const DeviceBackends& backends, Console& console) {
    std::vector<hw::DeviceConfig> devices;
    for (const DeviceChoice& device : options.devices) {
        devices.push_back(device.config);
        if (device.drive) {
            devices.back().connect(*drives[*device.drive]);
        }
        backends.connect(devices.back());
        for (hw::DeviceConfig& child : devices.back().children()) {
            const std::string line = child.reference(hw::PropertyKind::chardev);
            if (!line.empty()) {
                child.connect(console.device_line(line));
            }
        }
    }
    return devices;
}

// The machine's life, between the main loop and the console.
Result<int> run_machine(const machine::MachineConfig& config, hw::BoardPlan& plan, machine::MainLoop& loop,
                        Log& log, loader::AccelChain& accel, Console& console, GdbLine& gdb, Signals& signals,
                        Background* background, LiveDevices& devices, MemoryFiles& memory,
                        control::MachineFacts& facts) {
    Result<std::unique_ptr<machine::Machine>> machine =
        machine::Machine::create(config, plan, loop, log, accel);
    if (!machine) {
        return std::unexpected(machine.error());
    }
    memory.keep();
    if (background != nullptr) {
        background->ready();
    }
    const auto signal_watch = loop.watch(signals.fd(), machine::MainLoop::Ready::readable, [&] {
        const Signals::Event event = signals.take();
        if (event == Signals::Event::terminate) {
            (*machine)->end_by_signal();
        } else if (event == Signals::Event::continued) {
            console.continued();
        }
    });
    facts.accelerator = accel.descriptor().name;
    devices.attach(**machine);
    console.attach(**machine, facts);
    if (Result<> attached = gdb.attach(**machine, facts); !attached) {
        console.detach();
        devices.detach();
        return std::unexpected(attached.error());
    }
    Result<int> exit_code = (*machine)->run();
    gdb.detach(exit_code.value_or(1));
    console.detach();
    devices.detach();
    return exit_code;
}

// -machine none.
Result<int> run_without_machine(const Options& options, Background* background) {
    const Result<std::unique_ptr<machine::MainLoop>> loop = machine::MainLoop::create();
    if (!loop) {
        return std::unexpected(loop.error());
    }
    Result<std::unique_ptr<Signals>> signals = Signals::create();
    if (!signals) {
        return std::unexpected(signals.error());
    }
    const Result<std::unique_ptr<Console>> console = Console::open(options, **loop);
    if (!console) {
        return std::unexpected(console.error());
    }
    const Result<std::unique_ptr<PidFile>> pid_file = PidFile::create(options.pid_file);
    if (!pid_file) {
        return std::unexpected(pid_file.error());
    }
    NoMachine nothing(**loop);
    static_cast<void>(nothing.set_running(!options.start_stopped));
    if (background != nullptr) {
        background->ready();
    }
    const auto signal_watch = (*loop)->watch((*signals)->fd(), machine::MainLoop::Ready::readable, [&] {
        const Signals::Event event = (*signals)->take();
        if (event == Signals::Event::terminate) {
            nothing.end(machine::MachineCause::signal);
        } else if (event == Signals::Event::continued) {
            (*console)->continued();
        }
    });
    control::MachineFacts facts = machine_facts(options, {});
    facts.chars = [&] { return (*console)->lines(); };
    (*console)->attach(nothing, facts);
    (*loop)->run();
    (*console)->detach();
    (*console)->restore_terminal();
    signals->reset();
    (*console)->drain();
    return 0;
}

Result<int> run(const Options& options, Background* background) {
    if (options.no_machine) {
        return run_without_machine(options, background);
    }
    // Everything is checked first, and only then anything opened for writing.
    loader::AccelChain accel(options.accelerators, accel_sources(options), print_error);
    if (Result<> usable = accel.advance(); !usable) {
        return std::unexpected(usable.error());
    }
    const Result<LogSettings> log_settings = parse_log(options);
    if (!log_settings) {
        return std::unexpected(log_settings.error());
    }
    const Result<hw::BootConfig> boot = read_boot_files(
        options, firmware_candidates(options.firmware_dirs, environment("WEFT_FIRMWARE_DIR"), program_dir()));
    if (!boot) {
        return std::unexpected(boot.error());
    }
    const Result<std::unique_ptr<hw::BoardPlan>> plan = options.machine->plan(*boot);
    if (!plan) {
        return std::unexpected(plan.error());
    }
    if (options.dump_tree) {
        Result<> written = write_file("-machine dumpdtb", *options.dump_tree, (*plan)->device_tree());
        return written ? Result<int>(0) : std::unexpected(written.error());
    }
    if (Result<> outputs = check_output_files(options); !outputs) {
        return std::unexpected(outputs.error());
    }

    const Result<std::unique_ptr<machine::MainLoop>> loop = machine::MainLoop::create();
    if (!loop) {
        return std::unexpected(loop.error());
    }
    Result<std::unique_ptr<Signals>> signals = Signals::create();
    if (!signals) {
        return std::unexpected(signals.error());
    }
    Result<Drives> drives = open_drives(options);
    if (!drives) {
        return std::unexpected(drives.error());
    }
    Result<DeviceBackends> backends = DeviceBackends::open(options);
    if (!backends) {
        return std::unexpected(backends.error());
    }
    const Result<std::unique_ptr<Log>> log =
        Log::open(log_settings->items, log_settings->filter, options.log_file.value_or(""));
    if (!log) {
        return std::unexpected(log.error().within("-D"));
    }
    const Result<std::unique_ptr<Console>> console = Console::open(options, **loop);
    if (!console) {
        return std::unexpected(console.error());
    }
    const Result<std::unique_ptr<GdbLine>> gdb = GdbLine::open(options, **loop);
    if (!gdb) {
        return std::unexpected(gdb.error());
    }
    const Result<std::unique_ptr<PidFile>> pid_file = PidFile::create(options.pid_file);
    if (!pid_file) {
        return std::unexpected(pid_file.error());
    }
    Result<MemoryFiles> memory = MemoryFiles::open(options);
    if (!memory) {
        return std::unexpected(memory.error());
    }
    machine::MachineConfig config = machine_config(options);
    config.backends.ram = memory->backings();
    config.backends.serial = &(*console)->serial();
    config.backends.devices = connected_devices(options, *drives, *backends, **console);
    for (const std::optional<size_t>& index : options.flash) {
        config.backends.flash.push_back(index ? (*drives)[*index].get() : nullptr);
    }
    for (size_t i = 0; i < drives->size(); ++i) {
        if ((*drives)[i] != nullptr) {
            config.disks.push_back({drive_name(options, i), (*drives)[i].get()});
        }
    }
    config.backends.parts = options.parts;
    std::optional<semihosting::Host> semihosting;
    if (options.semihosting) {
        semihosting.emplace(semihosting_config(options), *(*console)->semihosting());
        config.backends.semihosting = &*semihosting;
    }
    config.backends.networks = backends->networks();
    control::MachineFacts facts = machine_facts(options, *drives);
    facts.chars = [&] { return (*console)->lines(); };
    control::Descriptors descriptors(options.descriptor_sets);
    facts.descriptors = &descriptors;
    LiveDevices devices(options, *drives, *backends, facts);
    Result<int> exit_code = run_machine(config, **plan, **loop, **log, accel, **console, **gdb, **signals,
                                        background, devices, *memory, facts);

    // A reader of standard output that has stopped must not keep the user from ending the program by a signal.
    (*console)->restore_terminal();
    signals->reset();
    (*console)->drain();
    if (const Result<> logged = (*log)->status(); !logged) {
        print_warning(logged.error().message());
    }
    return exit_code;
}

int run_program(std::span<const char* const> arguments) {
    // A closed pipe is an error of the write that meets it.
    std::signal(SIGPIPE, SIG_IGN);
    const Result<Options> options = parse_options(arguments);
    if (!options) {
        print_error(options.error().message());
        return 1;
    }
    if (options->help != HelpTopic::none) {
        const Result<std::string> text = help_text(*options);
        if (!text) {
            print_error(text.error().message());
            return 1;
        }
        std::fputs(text->c_str(), stdout);
        return std::fflush(stdout) == 0 ? 0 : 1;
    }
    std::unique_ptr<Background> background;
    if (options->daemonize) {
        Result<std::unique_ptr<Background>> made = Background::enter();
        if (!made) {
            print_error(made.error().message());
            return 1;
        }
        if (const std::optional<int> status = (*made)->parents_status()) {
            return *status;
        }
        background = std::move(*made);
    }
    const Result<int> exit_code = run(*options, background.get());
    if (!exit_code) {
        print_error(exit_code.error().message());
        return 1;
    }
    return *exit_code;
}

int main(std::span<const char* const> arguments) {
    try {
        return run_program(arguments);
    } catch (const std::bad_alloc&) {
        // Everything that was made is gone by now, and the terminal is the user's again.
        print_error("out of memory");
        return 1;
    }
}

}  // namespace

}  // namespace weft::sys

int main(int argc, char** argv) {
    const std::span<const char* const> arguments(argv, static_cast<size_t>(argc));
    return weft::sys::main(arguments.subspan(argc > 0 ? 1 : 0));
}
