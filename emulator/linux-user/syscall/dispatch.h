// A system call of the guest, from its number and registers to what becomes of it.
#pragma once

#include <array>
#include <cstdint>

#include "emulator/linux-user/syscall/call_context.h"

namespace weft::user {

// Does call `number` with a0 to a5. By the thread itself, with no lock held. With -strace, a line is written to the log: its first
// half before the call and its second half after it, if it returns; a call that is to be made again begins a new line.
SyscallOutcome dispatch(Thread& thread, uint64_t number, const std::array<uint64_t, 6>& args);

}  // namespace weft::user
