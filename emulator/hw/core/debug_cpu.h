// A CPU as a debugger of the machine sees it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weft::hw {

// Registers have numbers of the architecture's, as its description says; not each number has one. What takes a CPU's state is called
// while its vCPU is paused, on the vCPU's thread; translate() alone is as right on another.
class DebugCpu {
  public:
    virtual ~DebugCpu() = default;

    // Those below are read at once; numbers are below the other.
    virtual unsigned general_registers() const = 0;
    virtual unsigned registers() const = 0;
    // A file of gdb's target description ("target.xml" is the one that names the others). Any thread.
    virtual std::optional<std::string> description(std::string_view file) const = 0;

    // In the guest's byte order. "": there is none of this number.
    virtual std::string read_register(unsigned number) const = 0;
    // By the register's own rules. False: it cannot be written, or is of another size.
    virtual bool write_register(unsigned number, std::string_view bytes) = 0;
    // Where the CPU's present mode has the address, whatever may be done there. Nothing: nowhere. Changes nothing that the guest sees.
    virtual std::optional<uint64_t> translate(uint64_t vaddr) = 0;
};

}  // namespace weft::hw
