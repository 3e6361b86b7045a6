// Machines as objects: two of them in one process, made, run, reset and destroyed on threads of their own.
#include <catch2/catch.hpp>

#include <array>
#include <string>
#include <thread>
#include <vector>

#include "emulator/accel/module_by_gmodule.h"
#include "emulator/accel/text_sinks.h"
#include "emulator/machine/machine.h"
#include "emulator/machine/main_loop.h"
#include "emulator/system/machine_options.h"
#include "tests/support/char_collector.h"

using namespace weft;
using namespace weft::sys;

namespace {

struct Run {
    std::string error;
    int exit_code = -1;
    std::string output;
    std::string registers;
};

Options options_for(const char* accel) {
    const std::array<const char*, 6> arguments = {"-accel", accel, "-smp", "3", "-m", "4M"};
    return *parse_options(arguments);
}

// A machine's options with its accelerator's module, which is opened before there are threads.
struct Setup {
    explicit Setup(const char* accel_option) : options(options_for(accel_option)) {
        REQUIRE(accel.advance());
    }

    Options options;
    loader::AccelChain accel{options.accelerators,
                             {.folders = {MOCK_DIR}, .open = loader::gmodule_symbol},
                             [](const std::string&) {}};
};

// What main() does, for a machine without files.
Run run_machine(Setup& setup, bool resets) {
    Run result;
    const Options& options = setup.options;
    const auto loop = machine::MainLoop::create();
    const auto plan = options.machine->plan({.cpus = options.cpus, .ram_size = options.memory_bytes});
    if (!loop || !plan) {
        result.error += "not started";
        return result;
    }
    Log log;
    test::CharCollector serial;
    {
        machine::MachineConfig config = machine_config(options);
        config.backends.serial = &serial;
        auto machine = machine::Machine::create(config, **plan, **loop, log, setup.accel);
        if (!machine) {
            result.error += machine.error().message();
            return result;
        }
        if (resets) {
            (*machine)->system_reset();
        }
        loader::TextCollector text;
        (*machine)->dump_registers(2, *text.sink());
        result.registers = text.text();
        const Result<int> exit_code = (*machine)->run();
        result.exit_code = exit_code ? *exit_code : -1;
    }
    result.output = serial.text();
    return result;
}

}  // namespace

TEST_CASE("two machines run side by side and know nothing of each other", "[machine]") {
    for (int round = 0; round < 5; ++round) {
        Setup one_setup("mock,pokes=0x10000000=0x61:0x100000=0x33333");
        Setup two_setup("mock,pokes=0x10000000=0x62:0x100000=0x43333");
        Run one;
        Run two;
        std::thread first([&] { one = run_machine(one_setup, false); });
        std::thread second([&] { two = run_machine(two_setup, false); });
        first.join();
        second.join();
        CHECK(one.error.empty());
        CHECK(two.error.empty());
        CHECK(one.exit_code == 3);
        CHECK(two.exit_code == 4);
        CHECK(one.output == "a");
        CHECK(two.output == "b");
        CHECK(one.registers.find("mhartid   0000000000000002") != std::string::npos);
    }
}

TEST_CASE("a machine that is reset before it has begun, and one that never runs", "[machine]") {
    // The guest ends it whether the reset came before, within or after its work.
    Setup early("mock,pokes=0x100000=0x53333");
    CHECK(run_machine(early, true).exit_code == 5);
    Setup hopeless("mock,fail-create=no");
    const Run failed = run_machine(hopeless, false);
    CHECK(failed.error == "accelerator 'mock': no");
    CHECK(failed.exit_code == -1);
}
