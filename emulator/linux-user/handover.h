// What a process keeps over execve(2) and the kernel does not know: one weft tells it the next, which the guest's execve runs.
//
// Mask, waiting signals, timers, limits and whatever else the kernel keeps for the process are no part of it.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "emulator/linux-user/process.h"
#include "emulator/linux-user/signal/sighand.h"

namespace weft::user {

struct Handover {
    uint32_t personality = 0;
    Process::Limit space = {};  // RLIMIT_AS
    Process::Limit data = {};   // RLIMIT_DATA
    uint64_t ignored = 0;  // of the signals that come to weft's handler whatever the guest says, as a mask
};

// Of a process with the actions `actions`. Any thread.
Handover hand_over(Process& process, Sighand& actions);
// Before the program is loaded, and behind Sighand::start().
void take_over(Process& process, const Handover& handover);

// As an option's value, and back.
std::string handover_text(const Handover& handover);
Result<Handover> parse_handover(const std::string& text);

}  // namespace weft::user
