// The platform-level interrupt controller (RISC-V PLIC specification 1.0.0, in SiFive's layout).
//
// All inputs are level-triggered. A source's gateway passes one request on at a time: it raises the source's pending bit when
// the level is high, and looks at the level again after completion.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "base/state_visitor.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/hw/core/irq.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/core/mmio.h"
#include "emulator/memory/topology.h"

namespace weft::hw {

class Plic final : public InterruptSink {
  public:
    static constexpr unsigned kSources = 96;  // 0 means "none"
    static constexpr uint32_t kMaxPriority = 7;
    static constexpr unsigned kMaxContexts = 1024;
    static constexpr uint64_t kPriority = 0x0;    // + 4 * source
    static constexpr uint64_t kPending = 0x1000;  // one bit a source
    static constexpr uint64_t kEnable = 0x2000;   // + 0x80 * context, one bit a source
    static constexpr uint64_t kEnableStride = 0x80;
    static constexpr uint64_t kContext = 0x200000;  // + 0x1000 * context: threshold, then claim and complete
    static constexpr uint64_t kContextStride = 0x1000;
    static constexpr uint64_t kSize = kContext + kContextStride * kMaxContexts;

    // Contexts are M-mode and S-mode of each hart in turn. The harts outlive the device.
    Plic(mem::Topology& topology, MachineControl& control, std::span<riscv::Hart* const> harts);
    const mem::RegionPtr& region() const { return region_; }
    // All registers to zero; levels of inputs stay what devices made them. Harts are attached and paused.
    void reset();
    // After those that drive its inputs, whose levels are among what is saved. Harts are attached and paused.
    void visit_state(StateVisitor& visitor);

    // Lock order: a device's lock, then this one.
    void set_input(unsigned source, bool level) override;
    IrqLine line(unsigned source) { return IrqLine(*this, source); }

  private:
    friend struct MmioOps<Plic>;
    static constexpr unsigned kWords = kSources / 32;
    using Bits = std::array<uint32_t, kWords>;

    struct Context {
        riscv::Hart* hart;
        riscv::Interrupt interrupt;
        Bits enabled{};
        uint32_t threshold = 0;
        bool raised = false;  // the level the hart was told
    };

    uint64_t mmio_read(uint64_t offset, unsigned size) WEFT_REQUIRES(mutex_);
    void mmio_write(uint64_t offset, unsigned size, uint64_t value) WEFT_REQUIRES(mutex_);
    // What claiming would return, and its priority; 0 if nothing of priority above 0 is pending and enabled.
    unsigned best(const Context& context) WEFT_REQUIRES(mutex_);
    void update(Context& context) WEFT_REQUIRES(mutex_);
    void update_for(unsigned source) WEFT_REQUIRES(mutex_);
    unsigned claim(Context& context) WEFT_REQUIRES(mutex_);
    void complete(Context& context, uint64_t source) WEFT_REQUIRES(mutex_);
    void run_gateway(unsigned source) WEFT_REQUIRES(mutex_);
    void guest_error(const char* access, uint64_t offset);

    MachineControl& control_;
    Mutex mutex_;
    std::array<uint32_t, kSources> priority_ WEFT_GUARDED_BY(mutex_){};
    Bits level_ WEFT_GUARDED_BY(mutex_){};
    Bits pending_ WEFT_GUARDED_BY(mutex_){};
    Bits forwarded_ WEFT_GUARDED_BY(mutex_){};  // the gateway waits for completion
    std::vector<Context> contexts_ WEFT_GUARDED_BY(mutex_);
    const mem::RegionPtr region_;
};

}  // namespace weft::hw
