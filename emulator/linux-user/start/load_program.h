// Fills a new process's memory with its program: images, vDSO, stack. What execve does when the old program is gone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "emulator/linux-user/loader/exec_error.h"
#include "emulator/linux-user/process.h"
#include "emulator/linux-user/start/program_file.h"

namespace weft::user {

struct LoadSettings {
    std::vector<std::string> environment = {};
    uint64_t at_flags = 0;                  // AT_FLAGS
    std::array<std::byte, 16> random = {};  // AT_RANDOM
    bool secure = false;                    // AT_SECURE
};

// What the first thread begins with. All other registers are 0.
struct LoadedProgram {
    uint64_t pc = 0;
    uint64_t sp = 0;
    uint64_t signal_return = 0;  // guest address of the vDSO's rt_sigreturn
};

// Maps the executable into a process whose memory is empty, and tells the process what it runs (Process::loaded). Before any
// thread of the guest runs. Errors: E2BIG for too many or too long strings, and those of plan_image() and place_image(); the
// process is of no use then.
ExecResult<LoadedProgram> load_program(Process& process, const Executable& executable,
                                       const LoadSettings& settings);

}  // namespace weft::user
