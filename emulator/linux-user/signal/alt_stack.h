// Alternate signal stacks: sigaltstack(2).
#pragma once

#include <cstdint>

#include "emulator/linux-user/thread.h"

namespace weft::user {

// As sigaltstack reports it to a thread whose stack pointer is `sp`.
abi::Stack reported_alt_stack(const Thread& thread, uint64_t sp);

// Sets it: 0, -EPERM while it is in use, -EINVAL for flags, -ENOMEM if it is too small.
int64_t set_alt_stack(Thread& thread, const abi::Stack& stack, uint64_t sp);

}  // namespace weft::user
