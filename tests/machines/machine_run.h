// Whole machines inside a test program: what main() of weft-system-riscv64 does, without a terminal.
#pragma once

#include <string>
#include <vector>

#include "emulator/hw/core/char_backend.h"
#include "emulator/system/accel_chain.h"
#include "emulator/system/machine.h"
#include "emulator/system/options.h"

namespace weft::test {

// What a serial port was given.
class CharCollector final : public hw::CharBackend {
  public:
    void write(std::span<const uint8_t> data) override {
        MutexLock lock(mutex_);
        text_.append(reinterpret_cast<const char*>(data.data()), data.size());
    }
    void set_receiver(Receiver*) override {}
    void accept_input() override {}
    std::string text() {
        MutexLock lock(mutex_);
        return text_;
    }

  private:
    Mutex mutex_;
    std::string text_ WEFT_GUARDED_BY(mutex_);
};

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
    sys::AccelChain accel_;
};

}  // namespace weft::test
