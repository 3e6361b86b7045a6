// The core-local interruptor: software interrupts, timer compares and `time` of up to 4095 harts (SiFive's CLINT, the layout of
// the RISC-V ACLINT specification 1.0 for MSWI at 0 and MTIMER at 0x4000).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/state_visitor.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/core/mmio.h"
#include "emulator/memory/topology.h"

namespace weft::hw {

// Without a lock: a hart's registers are atomics that any hart may write.
class Clint {
  public:
    static constexpr uint64_t kSize = 0x10000;
    static constexpr uint64_t kMsip = 0x0;         // + 4 * hart
    static constexpr uint64_t kMtimecmp = 0x4000;  // + 8 * hart
    static constexpr uint64_t kMtime = 0xbff8;     // of all harts

    // Hart i of the registers is harts[i], which outlives the device.
    Clint(mem::Topology& topology, MachineControl& control, std::span<riscv::Hart* const> harts);
    const mem::RegionPtr& region() const { return region_; }
    // No software interrupt, no timer, mtime 0. Harts are attached and paused.
    void reset();
    // mtime goes on from the saved one. Harts are attached and paused.
    void visit_state(StateVisitor& visitor);

  private:
    friend struct MmioOps<Clint>;
    uint64_t mmio_read(uint64_t offset, unsigned size);
    void mmio_write(uint64_t offset, unsigned size, uint64_t value);

    struct Target {
        riscv::Hart* hart = nullptr;
        // What the guest wrote last. Written by any hart's thread; whoever changes one passes it on to the hart until the
        // hart has the newest (see deliver_latest.h).
        std::atomic<uint32_t> msip{0};
        std::atomic<uint64_t> mtimecmp{UINT64_MAX};
    };

    uint64_t read_word(uint64_t offset);
    void write_msip(Target& target, uint32_t value);
    void write_mtimecmp(Target& target, uint64_t mask, uint64_t value);
    void write_mtime(uint64_t mask, uint64_t value);
    void guest_error(const char* access, uint64_t offset);

    MachineControl& control_;
    const size_t hart_count_;
    const std::unique_ptr<Target[]> targets_;
    // mtime less the harts' clock. Written by any hart's thread and passed on like the registers of Target.
    std::atomic<uint64_t> time_offset_{0};
    const mem::RegionPtr region_;
};

}  // namespace weft::hw
