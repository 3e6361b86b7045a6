// The monitor: a prompt for the machine's operator.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "emulator/backend/char/char_backend.h"
#include "weft/guest.h"

namespace weft::sys {

// What the monitor can do to a machine. Called on the loop's thread.
class MonitorTarget {
  public:
    virtual ~MonitorTarget() = default;

    virtual void quit() = 0;
    virtual void system_reset() = 0;
    virtual Result<> set_running(bool running) = 0;
    virtual bool running() const = 0;

    virtual unsigned cpu_count() const = 0;
    virtual void dump_registers(unsigned cpu, const TextSink& sink) = 0;
    virtual void dump_cpus(const TextSink& sink) = 0;
    // What is seen at each guest-physical address, or the regions that it is made of.
    virtual void dump_memory(bool flat, const TextSink& sink) = 0;
    // The accelerator's own report.
    virtual Result<> dump_accelerator(const std::string& topic, const TextSink& sink) = 0;
};

class Monitor final : private hw::CharBackend::Receiver {
  public:
    // Reads commands from `line` and answers there; both outlive the monitor.
    Monitor(hw::CharBackend& line, MonitorTarget& target);
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

    hw::CharBackend& line_;
    MonitorTarget& target_;
    std::string input_;          // the command being typed
    bool after_return_ = false;  // a line feed right after a carriage return belongs to it
};

}  // namespace weft::sys
