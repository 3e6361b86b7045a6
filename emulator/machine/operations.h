// What those who attend to a machine may do to it while it exists: the monitor now; whatever else controls a machine from
// outside uses the same.
#pragma once

#include <string>

#include "base/error.h"
#include "weft/guest.h"

namespace weft::machine {

// All of it is called on the main loop's thread.
class MachineOperations {
  public:
    virtual ~MachineOperations() = default;

    virtual void quit() = 0;
    virtual void system_reset() = 0;
    // Lets the vCPUs run or stops them; nothing where they do already. Fails where the accelerator cannot run.
    virtual Result<> set_running(bool running) = 0;
    virtual bool running() const = 0;

    virtual unsigned cpu_count() const = 0;
    // The registers of CPU `cpu`, which is below cpu_count(), as its architecture writes them. Stops running vCPUs meanwhile,
    // as dump_cpus() does.
    virtual void dump_registers(unsigned cpu, const TextSink& sink) = 0;
    // A line a CPU: its name on the board, its pc and what the accelerator says of it.
    virtual void dump_cpus(const TextSink& sink) = 0;
    // What is seen at each guest-physical address, or the regions that it is made of.
    virtual void dump_memory(bool flat, const TextSink& sink) = 0;
    // The accelerator's own report. Fails where it has none by that name.
    virtual Result<> dump_accelerator(const std::string& topic, const TextSink& sink) = 0;
};

}  // namespace weft::machine
