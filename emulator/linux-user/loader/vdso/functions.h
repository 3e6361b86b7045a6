// The vDSO's functions and their instructions.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace weft::user::vdso {

struct Function {
    std::string_view name;
    uint32_t syscall;  // of Linux' generic table
    bool returns;      // rt_sigreturn goes elsewhere
};

inline constexpr auto kFunctions = std::to_array<Function>({
    {"__vdso_rt_sigreturn", 139, false},
    {"__vdso_clock_gettime", 113, true},
    {"__vdso_clock_getres", 114, true},
    {"__vdso_gettimeofday", 169, true},
    {"__vdso_getcpu", 168, true},
    {"__vdso_flush_icache", 259, true},
    {"__vdso_riscv_hwprobe", 258, true},
});
inline constexpr std::string_view kVersion = "LINUX_4.15";
inline constexpr std::string_view kName = "linux-vdso.so.1";

// li a7, syscall; ecall; and ret. Unwinders know rt_sigreturn by just these two instructions.
std::vector<uint32_t> instructions(const Function& function);
uint32_t no_operation();

}  // namespace weft::user::vdso
