// Signals as gdb numbers them, which are the same for all systems (gdb's include/gdb/signals.def), and Linux' on riscv64.
#pragma once

namespace weft::user {

// `signal` is 1 to 64. 143, "unknown", for what gdb has no number of (SIGSTKFLT).
int gdb_signal(int signal);
// 0: Linux has none of that number.
int linux_signal(int gdb_number);

}  // namespace weft::user
