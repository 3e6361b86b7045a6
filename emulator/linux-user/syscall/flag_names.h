// Names of flags and of other constants that system calls take.
#pragma once

#include <cstdint>
#include <string>

#include "emulator/linux-user/syscall/arguments.h"

namespace weft::user {

// "O_RDWR|O_CLOEXEC", "SEEK_SET"; what has no name as a number in hexadecimal: "O_RDONLY|0x8000000". Any thread.
std::string flag_text(FlagSet set, uint32_t value);

// "SIGSEGV", "SIGRT_2" (32 is SIGRT_0, as the kernel counts), or the number. Any thread.
std::string signal_text(uint32_t signal);

}  // namespace weft::user
