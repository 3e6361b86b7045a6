// The monitor: a prompt for the machine's operator. Reads commands from one character backend and answers there.
//
// emulator/control holds the ways to attend to a machine from outside. It uses the machine through MachineOperations alone, on
// the main loop's thread; the machine does not know it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "emulator/backend/char/char_backend.h"
#include "emulator/machine/operations.h"

namespace weft::control {

class Monitor final : private backend::CharBackend::Receiver {
  public:
    // Reads commands from `line` and answers there; both outlive the monitor.
    Monitor(backend::CharBackend& line, machine::MachineOperations& target);
    ~Monitor() override;
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    void show_prompt();

    // Executes one command and returns the answer.
    std::string execute(std::string_view command);

  private:
    unsigned can_receive() override { return 4096; }
    void receive(std::span<const uint8_t> data) override;
    void typed(uint8_t byte);
    void say(std::string_view text);

    backend::CharBackend& line_;
    machine::MachineOperations& target_;
    std::string input_;          // the command being typed
    bool after_return_ = false;  // a line feed right after a carriage return belongs to it
};

}  // namespace weft::control
