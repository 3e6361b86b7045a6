// virtio over memory-mapped registers (virtio 1.2, section 4.2), version 2 or the legacy interface's version 1 (4.2.4).
//
// A driver that does not accept VIRTIO_F_VERSION_1 is one of the legacy interface, also where the registers are those of
// version 2: teaching kernels combine the two, and QEMU serves them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "emulator/hw/core/device_type.h"
#include "emulator/hw/core/irq.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/core/mmio.h"
#include "emulator/hw/virtio/device.h"
#include "emulator/memory/reader.h"

namespace weft::hw {

enum class VirtioMmioLayout {
    legacy,  // version 1: a queue is one piece of memory, named by its page
    modern,  // version 2
};

class VirtioMmio final : private VirtioTransport {
  public:
    static constexpr uint64_t kSize = 0x1000;

    // `device` may be null: an empty slot (device id 0). DMA goes through `space`.
    VirtioMmio(mem::AddressSpace& space, MachineControl& control, std::unique_ptr<VirtioDevice> device,
               IrqLine irq, VirtioMmioLayout layout);

    const mem::RegionPtr& region() const { return region_; }
    // The machine's: unlike the driver's reset it forgets the size of the guest's pages, too.
    void reset();

  private:
    friend struct MmioOps<VirtioMmio>;

    Mutex& mutex() override { return mutex_; }
    mem::Reader& dma() override WEFT_REQUIRES(mutex_) { return dma_; }
    Virtqueue& queue(unsigned index) override WEFT_REQUIRES(mutex_) { return queues_[index]; }
    bool running() const override WEFT_REQUIRES(mutex_);
    uint64_t negotiated() const override WEFT_REQUIRES(mutex_);
    void used(Virtqueue& queue) override WEFT_REQUIRES(mutex_);
    void failure(const std::string& reason) override WEFT_REQUIRES(mutex_);

    uint64_t mmio_read(uint64_t offset, unsigned size) WEFT_REQUIRES(mutex_);
    void mmio_write(uint64_t offset, unsigned size, uint64_t value) WEFT_REQUIRES(mutex_);
    uint32_t read_register(uint64_t offset) WEFT_REQUIRES(mutex_);
    void write_register(uint64_t offset, uint32_t value) WEFT_REQUIRES(mutex_);
    uint32_t read_legacy_register(uint64_t offset) WEFT_REQUIRES(mutex_);
    void write_queue_register(uint64_t offset, uint32_t value) WEFT_REQUIRES(mutex_);
    void write_legacy_queue_register(uint64_t offset, uint32_t value) WEFT_REQUIRES(mutex_);
    void place_legacy_queue(unsigned index) WEFT_REQUIRES(mutex_);
    void enable_queue(Virtqueue& queue) WEFT_REQUIRES(mutex_);
    void write_status(uint32_t value) WEFT_REQUIRES(mutex_);
    void notify(uint32_t index) WEFT_REQUIRES(mutex_);
    void reset_locked() WEFT_REQUIRES(mutex_);
    uint64_t offered_features() const;
    // Whether the driver is one of the legacy interface, as far as it has said.
    bool legacy_driver() const WEFT_REQUIRES(mutex_);
    void interrupt(uint32_t reason) WEFT_REQUIRES(mutex_);
    void guest_error(const std::string& reason);

    MachineControl& control_;
    const IrqLine irq_;
    const VirtioMmioLayout layout_;
    const std::unique_ptr<VirtioDevice> device_;
    Mutex mutex_;
    mem::Reader dma_ WEFT_GUARDED_BY(mutex_);
    std::vector<Virtqueue> queues_ WEFT_GUARDED_BY(mutex_);
    uint64_t driver_features_ WEFT_GUARDED_BY(mutex_) = 0;
    uint32_t device_features_select_ WEFT_GUARDED_BY(mutex_) = 0;
    uint32_t driver_features_select_ WEFT_GUARDED_BY(mutex_) = 0;
    uint32_t queue_select_ WEFT_GUARDED_BY(mutex_) = 0;
    uint32_t interrupt_status_ WEFT_GUARDED_BY(mutex_) = 0;
    uint32_t status_ WEFT_GUARDED_BY(mutex_) = 0;
    // A legacy driver notified the device of a queue: it need not say DRIVER_OK (2.1, 3.1.1: drivers use queues before it).
    bool started_by_notification_ WEFT_GUARDED_BY(mutex_) = false;

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
