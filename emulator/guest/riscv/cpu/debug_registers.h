// A hart's registers as gdb numbers and describes them, for a debugger of the machine ("Debugging with GDB", "RISC-V Features").
//
// The numbers are QEMU's: x0 to x31 and the pc from 0, f0 to f31 from 33, priv 65, and the CSR of number N is 66 + N, where the CPU model
// has one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "emulator/guest/riscv/cpu/state.h"

namespace weft::riscv {

// Those that a debugger reads all at once: integers and pc.
inline constexpr unsigned kDebugGeneralRegisters = 33;
// Numbers are below it; not each has a register.
inline constexpr unsigned kDebugRegisters = 66 + 4096;

// The file of this name of the description of harts of `model` ("target.xml" names the others). Nothing: there is none.
std::optional<std::string> debug_description(std::string_view file, const CpuModel& model);

// In the guest's byte order, 8 bytes; "": there is no register of this number. While the vCPU is stopped or on its thread, as what follows.
std::string read_debug_register(const State& state, unsigned number);
// As the register's own rules have it (WARL fields, read-only bits), but whatever the mode. False: there is none that can be written, or
// the size is another.
bool write_debug_register(State& state, unsigned number, std::string_view bytes);

// The physical address that `vaddr` has for instructions of the hart's present mode, whatever its pages may be used for. Nothing: none.
std::optional<uint64_t> debug_translate(State& state, uint64_t vaddr);

}  // namespace weft::riscv
