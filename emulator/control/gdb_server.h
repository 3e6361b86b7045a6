// The machine's gdb stub: one debugger at a time, on a line.
//
// A debugger that comes stops the machine. One that goes without a word leaves it as it was before it came, if it has not let it run; else it
// runs on. Either way its breakpoints are gone.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "emulator/backend/char/char_backend.h"
#include "emulator/control/gdb/session.h"
#include "emulator/control/machine_target.h"
#include "emulator/machine/machine_debug.h"
#include "emulator/machine/operations.h"

namespace weft::control {

// On the main loop's thread.
class GdbServer final : private backend::CharBackend::Receiver,
                        private gdb::Output,
                        private machine::MachineDebug::Listener {
  public:
    // All outlive it.
    GdbServer(backend::CharBackend& line, machine::MachineOperations& machine, machine::MachineDebug& debug,
              MachineTarget::Commands commands);
    ~GdbServer() override;
    GdbServer(const GdbServer&) = delete;
    GdbServer& operator=(const GdbServer&) = delete;

    // The machine has ended. Nothing else follows.
    void exited(int status);

  private:
    // Receiver
    unsigned can_receive() override { return 4096; }
    void receive(std::span<const uint8_t> data) override;
    void opened() override;
    void closed() override;
    // Output
    void send(std::string_view bytes) override;
    // Listener
    void machine_resumes() override { target_.apply_points(); }
    void machine_stopped(const DebugStop* why) override;

    void begin();

    backend::CharBackend& line_;
    machine::MachineOperations& machine_;
    machine::MachineDebug& debug_;
    MachineTarget target_;
    std::optional<gdb::Session> session_;
    bool ran_before_ = false;  // when the debugger came
};

}  // namespace weft::control
