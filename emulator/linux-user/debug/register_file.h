// A guest thread's registers as gdb numbers and describes them ("RISC-V Features": org.gnu.gdb.riscv.cpu and .fpu).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "emulator/linux-user/riscv/frame.h"

namespace weft::user {

// x0 to x31, pc, f0 to f31, fflags, frm, fcsr: in this order, from 0.
unsigned gdb_register_count();
// `number` is below the count. Little-endian.
std::string read_gdb_register(const FrameRegisters& registers, unsigned number);
// False: `bytes` are not of the register's size. What is written to x0 is dropped, as are bits of fcsr that are none.
bool write_gdb_register(FrameRegisters& registers, unsigned number, std::string_view bytes);
// target.xml.
std::string gdb_target_description();

}  // namespace weft::user
