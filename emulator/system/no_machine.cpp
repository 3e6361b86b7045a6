#include "emulator/system/no_machine.h"

namespace weft::sys {

void NoMachine::end(machine::MachineCause cause) {
    for (machine::MachineListener* listener : listeners_) {
        listener->ends(cause);
    }
    loop_.quit();
}

void NoMachine::system_reset() {
    for (machine::MachineListener* listener : listeners_) {
        listener->was_reset(machine::MachineCause::operator_reset);
    }
}

void NoMachine::system_powerdown() {
    for (machine::MachineListener* listener : listeners_) {
        listener->powerdown_requested();
    }
}

Result<> NoMachine::set_running(bool running) {
    if (running != running_) {
        running_ = running;
        started_ = started_ || running;
        for (machine::MachineListener* listener : listeners_) {
            listener->running_changed(running);
        }
    }
    return {};
}

Result<> NoMachine::dump_accelerator(const std::string&, const TextSink&) {
    return fail("there is no accelerator");
}

Result<> NoMachine::read_memory(std::optional<unsigned>, uint64_t, std::span<uint8_t>) {
    return fail("there is no memory");
}

}  // namespace weft::sys
