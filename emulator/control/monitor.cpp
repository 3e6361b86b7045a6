#include "emulator/control/monitor.h"

#include <fmt/format.h>

namespace weft::control {

Monitor::Monitor(backend::CharBackend& line, machine::MachineOperations& target, const MachineFacts& facts,
                 std::string_view line_end)
    : line_(line), facts_(facts), line_end_(line_end), commands_(target, facts) {
    commands_.show_history(editor_.history());
    line_.set_receiver(this);
}

Monitor::~Monitor() { line_.set_receiver(nullptr); }

void Monitor::show_prompt() { say("(weft) "); }

void Monitor::opened() {
    editor_.restart();
    say(fmt::format("weft {} monitor - type 'help' for more information\n", facts_.version));
    show_prompt();
}

void Monitor::receive(std::span<const uint8_t> data) {
    for (const uint8_t byte : data) {
        if (editor_.type(byte)) {
            say(execute(editor_.take()));
            show_prompt();
        }
    }
}

void Monitor::say(std::string_view text) {
    if (!text.empty()) {
        const std::string lines = with_line_ends(std::string(text), line_end_);
        line_.write({reinterpret_cast<const uint8_t*>(lines.data()), lines.size()});
    }
}

}  // namespace weft::control
