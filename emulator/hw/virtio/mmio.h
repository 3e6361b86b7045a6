// virtio over memory-mapped registers (virtio 1.2, section 4.2), version 2 or the legacy interface's version 1 (4.2.4).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "emulator/hw/core/device_type.h"
#include "emulator/hw/core/irq.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/core/mmio.h"
#include "emulator/hw/virtio/registers.h"

namespace weft::hw {

enum class VirtioMmioLayout {
    legacy,  // version 1: a queue is one piece of memory, named by its page
    modern,  // version 2
};

class VirtioMmio final : private VirtioRegisters {
  public:
    static constexpr uint64_t kSize = 0x1000;

    // `device` may be null: an empty slot (device id 0). DMA goes through `space`.
    VirtioMmio(mem::AddressSpace& space, MachineControl& control, std::unique_ptr<VirtioDevice> device,
               IrqLine irq, VirtioMmioLayout layout);

    const mem::RegionPtr& region() const { return region_; }
    // The machine's: unlike the driver's reset it forgets the size of the guest's pages, too.
    void reset();

    // What is plugged in, by its number (virtio 1.2, section 5); 0: nothing.
    uint32_t device_id() const { return device_ != nullptr ? device_->id() : 0; }
    VirtioMmioLayout layout() const { return layout_; }
    const char* why_not_saved() WEFT_EXCLUDES(mutex_);
    void visit_state(StateVisitor& visitor);

  private:
    friend struct MmioOps<VirtioMmio>;

    void set_irq(bool level) override { irq_.set(level); }
    uint64_t offered_features() const override;
    void reset_locked() override WEFT_REQUIRES(mutex_);

    uint64_t mmio_read(uint64_t offset, unsigned size) WEFT_REQUIRES(mutex_);
    void mmio_write(uint64_t offset, unsigned size, uint64_t value) WEFT_REQUIRES(mutex_);
    uint32_t read_register(uint64_t offset) WEFT_REQUIRES(mutex_);
    void write_register(uint64_t offset, uint32_t value) WEFT_REQUIRES(mutex_);
    uint32_t read_legacy_register(uint64_t offset) WEFT_REQUIRES(mutex_);
    void write_queue_register(uint64_t offset, uint32_t value) WEFT_REQUIRES(mutex_);
    void write_legacy_queue_register(uint64_t offset, uint32_t value) WEFT_REQUIRES(mutex_);
    void place_legacy_queue(unsigned index) WEFT_REQUIRES(mutex_);

    const IrqLine irq_;
    const VirtioMmioLayout layout_;

    // Of the legacy layout; for each queue its page, 0: none, and its alignment.
    static constexpr uint32_t kLegacyAlignment = 4096;  // of drivers that do not set it, as QEMU has it
    struct LegacyQueue {
        uint32_t page = 0;
        uint32_t alignment = kLegacyAlignment;
    };
    std::vector<LegacyQueue> legacy_queues_ WEFT_GUARDED_BY(mutex_);
    unsigned page_shift_ WEFT_GUARDED_BY(mutex_) = 0;  // drivers set it before the reset that begins 3.1.1
    const mem::RegionPtr region_;
};

// The slots of a board, for -global: property force-legacy.
extern const DeviceType kVirtioMmioType;
VirtioMmioLayout virtio_mmio_layout(const DeviceConfig& config);

}  // namespace weft::hw
