#include "tests/machines/machine_run.h"

#include "emulator/accel/module_by_gmodule.h"
#include "emulator/machine/main_loop.h"
#include "emulator/system/machine_options.h"
#include "emulator/system/option_files.h"
#include "tests/support/char_collector.h"

namespace weft::test {

namespace {

Result<sys::Options> parse(const std::vector<std::string>& arguments) {
    std::vector<const char*> words;
    for (const std::string& argument : arguments) {
        words.push_back(argument.c_str());
    }
    return sys::parse_options(words);
}

}  // namespace

MachineSetup::MachineSetup(const std::vector<std::string>& arguments, const std::string& modules)
    : options_(parse(arguments).value_or(sys::Options{})),
      accel_(options_.accelerators, {.folders = {modules}, .open = loader::gmodule_symbol},
             [](const std::string&) {}) {
    if (Result<> usable = accel_.advance(); !usable) {
        error_ = usable.error().message();
    }
}

MachineOutcome MachineSetup::run() {
    MachineOutcome outcome;
    const auto loop = machine::MainLoop::create();
    if (!loop) {
        outcome.error = loop.error().message();
        return outcome;
    }
    const auto boot = sys::read_boot_files(options_, {});
    if (!boot) {
        outcome.error = boot.error().message();
        return outcome;
    }
    const auto plan = options_.machine->plan(*boot);
    if (!plan) {
        outcome.error = plan.error().message();
        return outcome;
    }
    Log log;
    CharCollector serial;
    {
        machine::MachineConfig config = sys::machine_config(options_);
        config.backends.serial = &serial;
        auto machine = machine::Machine::create(config, **plan, **loop, log, accel_);
        if (!machine) {
            outcome.error = machine.error().message();
            return outcome;
        }
        const Result<int> exit_code = (*machine)->run();
        if (!exit_code) {
            outcome.error = exit_code.error().message();
            return outcome;
        }
        outcome.exit_code = *exit_code;
    }
    outcome.output = serial.text();
    return outcome;
}

}  // namespace weft::test
