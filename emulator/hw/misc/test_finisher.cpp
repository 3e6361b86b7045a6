#include "emulator/hw/misc/test_finisher.h"

#include <fmt/format.h>

namespace weft::hw {

namespace {
// No state, so no lock.
constexpr mem::MemoryRegionOps kOps = mmio_ops<TestFinisher>({2, 4, false});

// A process has 8 bits for its exit status, and 0 means success there.
int failure_status(uint64_t code) {
    const auto status = static_cast<int>(code & 0xff);
    return status != 0 ? status : 1;
}
}  // namespace

TestFinisher::TestFinisher(mem::Topology& topology, MachineControl& control)
    : control_(control), region_(topology.io("riscv.sifive.test", kSize, kOps, this, nullptr)) {}

uint64_t TestFinisher::mmio_read(uint64_t, unsigned) { return 0; }

void TestFinisher::mmio_write(uint64_t offset, unsigned, uint64_t value) {
    if (offset == 0) {
        switch (value & 0xffff) {
            case kFail:
                control_.request_shutdown(failure_status(value >> 16));
                return;
            case kPass:
                control_.request_shutdown(0);
                return;
            case kReset:
                control_.request_reset();
                return;
            default:
                break;
        }
    }
    control_.guest_error(fmt::format("test finisher: no meaning in {:#x} at {:#x}", value, offset).c_str());
}

}  // namespace weft::hw
