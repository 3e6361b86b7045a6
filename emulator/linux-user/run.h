// A guest process from its command line to its status: accelerator, memory, program, first thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "emulator/accel/accel_chain.h"
#include "emulator/linux-user/cpu.h"
#include "emulator/linux-user/debug/address.h"
#include "emulator/linux-user/handover.h"
#include "emulator/linux-user/process.h"
#include "emulator/linux-user/start/guest_base.h"
#include "emulator/linux-user/start/program_file.h"
#include "weft/user_memory.h"

namespace weft::user {

// The memory of a process as an accelerator sees it. Outlives the accelerator's instance.
class MemoryView {
  public:
    virtual ~MemoryView() = default;
    virtual const UserMemoryOps& ops() const = 0;
};

// What is joined in the program, and made up in tests.
struct Parts {
    const GuestArch* guest;
    // What StateHeader::guest points to, for each vCPU.
    void* guest_object;
    std::function<std::unique_ptr<Cpu>(void* state)> make_cpu;
    std::function<std::unique_ptr<MemoryView>(Process& process, bool bounds)> make_memory;
};

struct RunSettings {
    ExecRequest program;
    std::vector<std::string> environment = {};
    SpaceWishes space = {};
    bool bounds = false;  // generated code compares each address with the end of the guest's space
    uint64_t at_flags = 0;
    bool secure = false;
    std::array<std::byte, 16> random = {};
    std::string release = {};                    // uname's; "": the host's
    const riscv::CpuModel* cpu = &riscv::kRv64;  // outlives the run
    bool strace = false;
    std::optional<DebugAddress> debugger = {};  // where one is waited for; nothing: there is none
    // By the guest's execve: the program that called it is gone, so that there is a guest that an error ends.
    std::optional<Handover> handover = {};
    // What execve runs a program for the guest's CPU by: weft, and the options that it was given.
    std::string own_path = {};
    std::vector<std::string> own_options = {};
    // Comes back after a process of one thread, all of whose memory was given back part by part, as tests and leak checkers want it.
    // Else the process ends where the guest's does: the kernel is faster.
    bool comes_back = true;
};

// Why there was no guest. Shells take the statuses 126 and 127 so: a program that cannot be executed, and one that is not there
// (POSIX, "Exit Status for Commands").
struct RunError {
    std::string message;
    int status;
};
inline constexpr int kStatusError = 1;  // of weft's: options, accelerator, host
inline constexpr int kStatusNotExecutable = 126;
inline constexpr int kStatusNotFound = 127;

// Runs a process to its end on the calling thread; the status of its exit. `accel` stands at its first usable choice. `log` gets
// what -d and -strace ask for.
std::expected<int, RunError> run_process(RunSettings settings, const Parts& parts, loader::AccelChain& accel,
                                         Log& log);

}  // namespace weft::user
