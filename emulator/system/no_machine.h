// -machine none: nothing that could run, for those who only ask what this program could do. (libvirt does before anything else.)
#pragma once

#include <vector>

#include "emulator/machine/main_loop.h"
#include "emulator/machine/operations.h"

namespace weft::sys {

// The main loop's thread.
class NoMachine final : public machine::MachineOperations {
  public:
    // Ends the loop where it is asked to end. The loop outlives it.
    explicit NoMachine(machine::MainLoop& loop) : loop_(loop) {}

    void end(machine::MachineCause cause);

    void quit() override { end(machine::MachineCause::operator_quit); }
    void system_reset() override;
    void system_powerdown() override;
    Result<> set_running(bool running) override;
    bool running() const override { return running_; }
    bool started() const override { return started_; }
    bool shut_down() const override { return false; }
    Result<> plug(const hw::DeviceConfig&) override { return fail("there is no machine"); }
    Result<> ask_to_release(const std::string&) override { return fail("there is no machine"); }
    hw::Balloon* balloon() override { return nullptr; }
    unsigned cpu_count() const override { return 0; }
    void dump_registers(unsigned, const TextSink&) override {}
    void dump_cpus(const TextSink&) override {}
    void dump_memory(bool, const TextSink&) override {}
    Result<> dump_accelerator(const std::string&, const TextSink&) override;
    Result<> read_memory(std::optional<unsigned>, uint64_t, std::span<uint8_t>) override;
    void disassemble(std::span<const uint8_t>, uint64_t, const TextSink&) override {}
    void add_listener(machine::MachineListener& listener) override { listeners_.push_back(&listener); }
    void remove_listener(machine::MachineListener& listener) override { std::erase(listeners_, &listener); }

  private:
    machine::MainLoop& loop_;
    std::vector<machine::MachineListener*> listeners_;
    bool running_ = false;
    bool started_ = false;
};

}  // namespace weft::sys
