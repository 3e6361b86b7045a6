// Threads and processes of the guest: what clone(2), exit(2) and execve(2) need besides the calls themselves.
//
// linux-user/life owns guest threads from their start to their end, forks the process under them, and hands programs on to another
// weft. Calls know the interface; the program joins it with an accelerator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emulator/linux-user/thread.h"

namespace weft::user {

// clone's and clone3's arguments. Addresses are the guest's; 0: none.
struct CloneRequest {
    uint64_t flags = 0;  // CLONE_*, without the signal
    int exit_signal = 0;
    uint64_t stack = 0;  // the first stack pointer; 0: as the caller's
    uint64_t tls = 0;
    uint64_t parent_tid = 0;
    uint64_t child_tid = 0;
    uint64_t pidfd = 0;
};

struct ExecuteRequest {
    std::string path;
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
};

// By the calling thread, whose vCPU is at the ecall. Results are those of the calls, or kRestart.
class Lifecycle {
  public:
    virtual ~Lifecycle() = default;
    virtual int64_t clone(Thread& caller, const CloneRequest& request) = 0;
    // What Linux says of a program's file before it looks at the arguments: 0, or why it cannot be opened to be executed.
    virtual int64_t may_execute(Thread& caller, const std::string& path) = 0;
    // Comes back with an error only.
    virtual int64_t execute(Thread& caller, const ExecuteRequest& request) = 0;
};

}  // namespace weft::user
