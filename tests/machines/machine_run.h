// Whole machines inside a test program: what main() of weft-system-riscv64 does, without a terminal.
#pragma once

#include <string>
#include <vector>

#include "emulator/accel/accel_chain.h"
#include "emulator/machine/machine.h"
#include "emulator/system/options.h"

namespace weft::test {

struct MachineOutcome {
    std::string error;  // empty: it ran
    int exit_code = -1;
    std::string output;  // of its serial port
};

// A machine's options and its accelerator's module. Made on one thread at a time, before the machine runs.
class MachineSetup {
  public:
    // `arguments` as on the command line, without the program's name. `modules`: where accelerators are.
    MachineSetup(const std::vector<std::string>& arguments, const std::string& modules);
    MachineSetup(const MachineSetup&) = delete;
    MachineSetup& operator=(const MachineSetup&) = delete;

    const std::string& error() const { return error_; }

    // Makes the machine with a main loop of its own, runs it to its end and destroys it; all on the calling thread.
    MachineOutcome run();

  private:
    std::string error_;
    sys::Options options_;
    loader::AccelChain accel_;
};

}  // namespace weft::test
