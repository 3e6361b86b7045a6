#include "emulator/control/monitor.h"

#include <fmt/format.h>

namespace weft::control {

Monitor::Monitor(backend::CharBackend& line, machine::MachineOperations& target, const MachineFacts& facts,
                 std::string_view line_end)
    : line_(line), facts_(facts), line_end_(line_end), commands_(target, facts) {
    commands_.show_history(editor_.history());
    commands_.wait_by(*this);
    line_.set_receiver(this);
}

Monitor::~Monitor() { line_.set_receiver(nullptr); }

void Monitor::show_prompt() {
    if (!waits_) {
        say("(weft) ");
    }
}

void Monitor::opened() {
    editor_.restart();
    typed_.clear();
    say(fmt::format("weft {} monitor - type 'help' for more information\n", facts_.version));
    show_prompt();
}

void Monitor::receive(std::span<const uint8_t> data) {
    typed_.insert(typed_.end(), data.begin(), data.end());
    take_typed();
}

void Monitor::take_typed() {
    size_t taken = 0;
    while (!waits_ && taken < typed_.size()) {
        if (editor_.type(typed_[taken++])) {
            say(execute(editor_.take()));
            show_prompt();
        }
    }
    typed_.erase(typed_.begin(), typed_.begin() + static_cast<ptrdiff_t>(taken));
}

// Of whoever is at the line by now.
void Monitor::end(const std::string& answer) {
    waits_ = false;
    say(answer);
    show_prompt();
    take_typed();
    line_.accept_input();
}

void Monitor::say(std::string_view text) {
    if (!text.empty()) {
        const std::string lines = with_line_ends(std::string(text), line_end_);
        const std::span bytes(reinterpret_cast<const uint8_t*>(lines.data()), lines.size());
        // For one who does not read, as much as is kept.
        if (!line_.write_whole(bytes)) {
            line_.write(bytes);
        }
    }
}

}  // namespace weft::control
