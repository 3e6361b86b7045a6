// The stack that a program starts with: arguments, environment and auxiliary vector, as Linux' fs/exec.c and fs/binfmt_elf.c
// write them (RISC-V ELF psABI, "Process Initialization").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "emulator/guest/riscv/isa/cpu_model.h"
#include "emulator/linux-user/loader/exec_error.h"
#include "emulator/linux-user/loader/image.h"

namespace weft::user {

// AT_HWCAP of a CPU model: a bit for each of I, M, A, F, D and C, where misa has it. Linux tells no other letters but V there.
uint64_t hwcap(const riscv::CpuModel& model);

// What the auxiliary vector says besides constants. AT_PLATFORM and AT_HWCAP2 are not there, as on RISC-V.
struct AuxValues {
    uint64_t vdso;  // AT_SYSINFO_EHDR; 0: left out
    uint64_t hwcap;
    uint64_t clock_ticks;  // in a second, of times()
    uint64_t phdr_address;
    uint64_t phdr_count;
    uint64_t interpreter_base;  // 0: there is none
    uint64_t flags;             // AT_FLAGS
    uint64_t entry;             // the program's, also where an interpreter starts
    uint64_t uid, euid, gid, egid;
    bool secure;
    uint64_t min_signal_stack;  // AT_MINSIGSTKSZ, bytes
    std::array<std::byte, 16> random;
};

struct StackStrings {
    std::string path;                    // AT_EXECFN: as execve got it
    std::vector<std::string> arguments;  // without one, Linux gives an empty one
    std::vector<std::string> environment;
};

// Bytes of all strings and the pointers to them, whatever the stack's limit (bprm_stack_limits of Linux's fs/exec.c).
inline constexpr uint64_t kMostOfStrings = (uint64_t{8} << 20) / 4 * 3;

// E2BIG where Linux' execve refuses so much: a string of MAX_ARG_STRLEN bytes or more, or strings and pointers beyond a quarter of
// `stack_limit` (RLIMIT_STACK), at least 128 KiB and at most 6 MiB. `argument_count` is that of execve's own argv; scripts may have
// changed their number since.
ExecResult<> check_stack_size(const StackStrings& strings, uint64_t argument_count, uint64_t stack_limit);

struct InitialStack {
    uint64_t sp;                   // where `bytes` go; a multiple of 16
    std::vector<std::byte> bytes;  // up to the stack's top
    // What /proc/self/cmdline, environ and auxv show.
    Range arguments;
    Range environment;
    Range auxv;
};

// The stack below `top`, a multiple of 16. Strings hold no zero bytes. They have passed check_stack_size(), so that `top` is large
// enough wherever a stack can be.
InitialStack build_initial_stack(uint64_t top, const StackStrings& strings, const AuxValues& values);

}  // namespace weft::user
