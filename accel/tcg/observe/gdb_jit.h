// Announces generated code to a debugger, by GDB's JIT compilation interface (GDB's manual, "JIT Compilation Interface").
#pragma once

#include <memory>
#include <string>

namespace weft::accel {

// An entry in the process's list, as long as it exists. The interface is found by name: it is one list for all of the
// process, which gdb_jit.cpp holds. Any thread.
class DebuggerEntry {
  public:
    // `symbol_file`: an ELF file in memory (debug_elf.h). Empty: no entry.
    explicit DebuggerEntry(std::string symbol_file);
    ~DebuggerEntry();
    DebuggerEntry(const DebuggerEntry&) = delete;
    DebuggerEntry& operator=(const DebuggerEntry&) = delete;

  private:
    struct Listed;
    const std::unique_ptr<Listed> listed_;
};

}  // namespace weft::accel
