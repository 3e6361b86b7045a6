// virtio over memory-mapped registers, version 2 (virtio 1.2, section 4.2). The legacy interface is not offered.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "emulator/hw/core/irq.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/core/mmio.h"
#include "emulator/hw/virtio/device.h"
#include "emulator/memory/reader.h"

namespace weft::hw {

class VirtioMmio final : private VirtioTransport {
  public:
    static constexpr uint64_t kSize = 0x1000;

    // `device` may be null: an empty slot (device id 0). DMA goes through `space`.
    VirtioMmio(mem::AddressSpace& space, MachineControl& control, std::unique_ptr<VirtioDevice> device,
               IrqLine irq);

    const mem::RegionPtr& region() const { return region_; }
    void reset();

  private:
    friend struct MmioOps<VirtioMmio>;

    Mutex& mutex() override { return mutex_; }
    mem::Reader& dma() override WEFT_REQUIRES(mutex_) { return dma_; }
    Virtqueue& queue(unsigned index) override WEFT_REQUIRES(mutex_) { return queues_[index]; }
    bool running() const override WEFT_REQUIRES(mutex_);
    uint64_t negotiated() const override WEFT_REQUIRES(mutex_) { return driver_features_; }
    void used(Virtqueue& queue) override WEFT_REQUIRES(mutex_);
    void failure(const std::string& reason) override WEFT_REQUIRES(mutex_);

    uint64_t mmio_read(uint64_t offset, unsigned size) WEFT_REQUIRES(mutex_);
    void mmio_write(uint64_t offset, unsigned size, uint64_t value) WEFT_REQUIRES(mutex_);
    uint32_t read_register(uint64_t offset) WEFT_REQUIRES(mutex_);
    void write_register(uint64_t offset, uint32_t value) WEFT_REQUIRES(mutex_);
    void write_queue_register(uint64_t offset, uint32_t value) WEFT_REQUIRES(mutex_);
    void write_status(uint32_t value) WEFT_REQUIRES(mutex_);
    void notify(uint32_t index) WEFT_REQUIRES(mutex_);
    void reset_locked() WEFT_REQUIRES(mutex_);
    uint64_t offered_features() const;
    void interrupt(uint32_t reason) WEFT_REQUIRES(mutex_);
    void guest_error(const std::string& reason);

    MachineControl& control_;
    const IrqLine irq_;
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
    const mem::RegionPtr region_;
};

}  // namespace weft::hw
