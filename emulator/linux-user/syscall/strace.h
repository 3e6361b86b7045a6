// -strace: a call and its result as a line of text, in the form that users of qemu-riscv64 know:
//
//   4711 openat(AT_FDCWD,"/etc/passwd",O_RDONLY|O_CLOEXEC) = 3
//   4711 faccessat(AT_FDCWD,"/none",F_OK) = -1 errno=2 (ENOENT: No such file or directory)
//
// The first half is made before the call, the second after it; a call that does not return has no second half. What the guest
// gives by address is read then and there, and printed as an address if it cannot be read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "emulator/linux-user/syscall/guest_access.h"
#include "emulator/linux-user/syscall/table.h"

namespace weft::user {

// How much is printed of the text of a path or name, of a buffer, and of a list of strings; "..." stands for the rest.
inline constexpr size_t kStraceText = 256;
inline constexpr size_t kStraceBuffer = 32;
inline constexpr size_t kStraceStrings = 32;

// "PID name(arguments)". `pid` is the thread's. A number without a row in the table is named "syscall_NUMBER".
std::string strace_call(int32_t pid, uint64_t number, const std::array<uint64_t, 6>& args,
                        GuestAccess& access);

// " = result\n", of what the call returned: -4095 to -1 are errors.
std::string strace_result(uint64_t number, int64_t result);

// In quotes; what is no printable ASCII as an escape of C, octal with three digits.
std::string quoted(std::string_view bytes);

}  // namespace weft::user
