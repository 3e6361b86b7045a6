// Supervisor software interrupts of up to 4095 harts (RISC-V ACLINT specification 1.0, chapter "Supervisor-level Software
// Interrupt Device (SSWI)").
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/core/mmio.h"
#include "emulator/memory/topology.h"

namespace weft::hw {

// Without state and lock: what is written is an edge, which sets the hart's own SSIP bit, and all registers read 0.
class AclintSswi {
  public:
    static constexpr uint64_t kSize = 0x4000;  // SETSSIP of hart i at 4 * i

    // Hart i of the registers is harts[i], which outlives the device.
    AclintSswi(mem::Topology& topology, MachineControl& control, std::span<riscv::Hart* const> harts);
    const mem::RegionPtr& region() const { return region_; }

  private:
    friend struct MmioOps<AclintSswi>;
    uint64_t mmio_read(uint64_t offset, unsigned size);
    void mmio_write(uint64_t offset, unsigned size, uint64_t value);
    void check(const char* access, uint64_t offset);

    MachineControl& control_;
    const std::vector<riscv::Hart*> harts_;
    const mem::RegionPtr region_;
};

}  // namespace weft::hw
