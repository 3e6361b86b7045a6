// An accelerator whose vCPU "executes" steps that a test wrote, and the parts of a process around it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "emulator/linux-user/cpu.h"
#include "emulator/linux-user/run.h"
#include "weft/accel.h"

namespace weft::test {

struct ToyState {
    user::FrameRegisters registers;
    user::CpuException exception;
};

struct Toy;

// By which the accelerator's descriptor, a constant, finds its toy.
struct ToyGuest : GuestArch {
    Toy* toy = nullptr;
};

// What happened, and what is to happen.
struct Toy {
    Toy() { guest.toy = this; }
    Toy(const Toy&) = delete;
    Toy& operator=(const Toy&) = delete;

    // One run of enter() each; what it returns is why it stopped. After the last: an exit_group with status 99.
    using Step = std::function<VcpuStop(ToyState& state)>;
    std::vector<Step> steps;

    // What a step returns to make a system call.
    static VcpuStop call(ToyState& state, uint64_t number, const std::vector<uint64_t>& arguments);

    user::Process* process = nullptr;  // from when its memory is there
    StateHeader* header = nullptr;     // of the vCPU
    std::vector<std::string> events;   // of the accelerator, in order
    bool has_process_mode = true;
    std::string create_error;
    bool attach_fails = false;
    UserMemoryOps memory{};

    user::Parts parts();
    // run_process with this accelerator.
    std::expected<int, user::RunError> run(user::RunSettings settings);
    size_t next = 0;
    ToyGuest guest{};
    Log log{};
};

}  // namespace weft::test
