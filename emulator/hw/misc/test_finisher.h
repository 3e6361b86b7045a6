// SiFive's test finisher: a register that ends or resets the machine (Linux' bindings riscv/sifive,test and syscon-poweroff,
// syscon-reboot).
#pragma once

#include <cstdint>

#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/core/mmio.h"
#include "emulator/memory/topology.h"

namespace weft::hw {

class TestFinisher {
  public:
    static constexpr uint64_t kSize = 0x1000;
    // Written to offset 0 as 32 bits: the lower half is one of these, the upper half of kFail the exit code. Of
    // that the emulator's exit status has the lower 8 bits, or 1 where these are 0.
    static constexpr uint32_t kFail = 0x3333;
    static constexpr uint32_t kPass = 0x5555;
    static constexpr uint32_t kReset = 0x7777;

    TestFinisher(mem::Topology& topology, MachineControl& control);
    const mem::RegionPtr& region() const { return region_; }

  private:
    friend struct MmioOps<TestFinisher>;
    uint64_t mmio_read(uint64_t offset, unsigned size);
    void mmio_write(uint64_t offset, unsigned size, uint64_t value);

    MachineControl& control_;
    const mem::RegionPtr region_;
};

}  // namespace weft::hw
