// The monitor: a prompt for the machine's operator. Reads commands from one character backend and answers there.
//
// emulator/control holds the ways to attend to a machine from outside. It uses the machine through MachineOperations alone, on
// the main loop's thread; the machine does not know it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/backend/char/char_backend.h"
#include "emulator/control/line_editor.h"
#include "emulator/control/monitor_commands.h"

namespace weft::control {

class Monitor final : private backend::CharBackend::Receiver, private MonitorWait {
  public:
    // Reads commands from `line` and answers there; all of it outlives the monitor. Whoever comes to the line is greeted by a
    // prompt. `line_end`: what the line needs at the end of lines.
    Monitor(backend::CharBackend& line, machine::MachineOperations& target, const MachineFacts& facts,
            std::string_view line_end = "\n");
    ~Monitor() override;
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    // Nothing while a command is not done.
    void show_prompt();

    // Executes one command and returns the answer, or what there is of it where the command is done later.
    std::string execute(std::string_view command) { return commands_.execute(command); }

  private:
    unsigned can_receive() override { return waits_ ? 0 : 4096; }
    void receive(std::span<const uint8_t> data) override;
    void opened() override;
    void begin() override { waits_ = true; }
    void end(const std::string& answer) override;
    void take_typed();
    void say(std::string_view text);

    backend::CharBackend& line_;
    const MachineFacts& facts_;
    const std::string line_end_;
    MonitorCommands commands_;
    bool waits_ = false;          // for a command
    std::vector<uint8_t> typed_;  // and not taken yet
    LineEditor editor_{[this](std::string_view text) { say(text); }};
};

}  // namespace weft::control
