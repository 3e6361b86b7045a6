// A machine's state, taken and given back: the step between board and accelerator on one side and the format on the other.
#pragma once

#include <cstdint>
#include <vector>

#include "emulator/hw/core/board.h"
#include "emulator/saved/reader.h"
#include "emulator/saved/writer.h"
#include "weft/accel.h"

namespace weft::machine {

// The main loop's thread. No vCPU runs, the networks are stopped, and nothing is left to do for the I/O worker: `paused` in what follows.
class SavedMachine {
  public:
    // All of it outlives this. `time` is null where time is the host's.
    struct Machine {
        hw::Board& board;
        const AccelOps& ops;
        AccelInstance* accel;
        const VirtualTimeOps* time;
        std::vector<Vcpu*> vcpus;  // by the board's numbers
    };
    explicit SavedMachine(Machine machine) : machine_(std::move(machine)) {}

    // Why it cannot be saved, or loaded.
    Result<> check() const;

    // What it is, and what it has in memory.
    saved::Facts facts() const;
    std::vector<saved::Memory> memory() const;
    saved::Expected expected() const;

    // CPUs and devices, when it is paused. `runs`: whether it is to go on where it is loaded.
    Result<std::vector<saved::Part>> parts(bool runs) const;

    // Whether what was read for expected() can be loaded.
    Result<> fits(const saved::StagedMachine& staged) const;
    // Makes the paused machine what was read for expected(). Everything is checked before anything is changed; a machine that was refused is
    // what it was. Returns whether it is to go on.
    Result<bool> load(const saved::StagedMachine& staged) const;

  private:
    std::vector<hw::SavedPart> all_parts() const;
    hw::SavedPart machine_part(bool& runs) const;  // `runs` outlives it
    hw::SavedPart cpu_part(unsigned index) const;
    void visit_machine(StateVisitor& visitor, bool& runs) const;
    void load_memory(const saved::StagedMachine& staged) const;

    Machine machine_;
};

}  // namespace weft::machine
