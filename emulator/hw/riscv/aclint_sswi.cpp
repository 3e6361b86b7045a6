#include "emulator/hw/riscv/aclint_sswi.h"

#include <fmt/format.h>

#include "base/assert.h"

namespace weft::hw {

namespace {

constexpr mem::MemoryRegionOps kOps = mmio_ops<AclintSswi>({4, 4, false});

}  // namespace

AclintSswi::AclintSswi(mem::Topology& topology, MachineControl& control, std::span<riscv::Hart* const> harts)
    : control_(control),
      harts_(harts.begin(), harts.end()),
      region_(topology.io("riscv.aclint.sswi", kSize, kOps, this, nullptr)) {
    WEFT_ASSERT(4 * harts_.size() < kSize);  // the last register is reserved
}

void AclintSswi::check(const char* access, uint64_t offset) {
    if (offset / 4 >= harts_.size()) {
        control_.guest_error(
            fmt::format("ACLINT SSWI: {} {:#x}, where no register is", access, offset).c_str());
    }
}

uint64_t AclintSswi::mmio_read(uint64_t offset, unsigned) {
    check("read of", offset);
    return 0;
}

// Bit 0 alone means something; 0 in it does nothing.
void AclintSswi::mmio_write(uint64_t offset, unsigned, uint64_t value) {
    check("write to", offset);
    if (offset / 4 < harts_.size() && (value & 1) != 0) {
        harts_[offset / 4]->set_interrupt(riscv::Interrupt::supervisor_software, true);
    }
}

}  // namespace weft::hw
