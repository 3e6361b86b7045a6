// The Goldfish real-time clock: wall-clock nanoseconds since 1970 and one alarm (Linux' drivers/rtc/rtc-goldfish.c and the
// Android emulator's GOLDFISH-VIRTUAL-HARDWARE document describe its registers).
#pragma once

#include <cstdint>

#include "base/mutex.h"
#include "base/state_visitor.h"
#include "emulator/hw/core/irq.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/core/mmio.h"
#include "emulator/memory/topology.h"

namespace weft::hw {

class GoldfishRtc {
  public:
    static constexpr uint64_t kSize = 0x1000;

    GoldfishRtc(mem::Topology& topology, MachineControl& control, IrqLine irq);
    ~GoldfishRtc();
    GoldfishRtc(const GoldfishRtc&) = delete;
    GoldfishRtc& operator=(const GoldfishRtc&) = delete;

    const mem::RegionPtr& region() const { return region_; }
    // No alarm, no interrupt; the time that the guest set stays.
    void reset();
    // The guest's time goes on with the host's, with what the guest made it differ by.
    void visit_state(StateVisitor& visitor);

  private:
    friend struct MmioOps<GoldfishRtc>;
    uint64_t mmio_read(uint64_t offset, unsigned size) WEFT_REQUIRES(mutex_);
    void mmio_write(uint64_t offset, unsigned size, uint64_t value) WEFT_REQUIRES(mutex_);
    uint64_t now() WEFT_REQUIRES(mutex_);
    void set_time(uint64_t time) WEFT_REQUIRES(mutex_);
    void arm() WEFT_REQUIRES(mutex_);
    void disarm() WEFT_REQUIRES(mutex_);
    void alarm();
    void update_irq() WEFT_REQUIRES(mutex_);

    MachineControl& control_;
    const IrqLine irq_;
    Mutex mutex_;
    uint64_t offset_ WEFT_GUARDED_BY(mutex_) = 0;  // guest's time minus the host's, modulo 2^64
    uint64_t alarm_ WEFT_GUARDED_BY(mutex_) = 0;
    uint32_t latched_high_ WEFT_GUARDED_BY(mutex_) = 0;  // upper half of what TIME_LOW returned
    bool running_ WEFT_GUARDED_BY(mutex_) = false;
    bool pending_ WEFT_GUARDED_BY(mutex_) = false;
    bool enabled_ WEFT_GUARDED_BY(mutex_) = false;
    const mem::RegionPtr region_;
};

}  // namespace weft::hw
