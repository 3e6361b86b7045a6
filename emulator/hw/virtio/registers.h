// What a virtio device's registers do, whatever bus they are on: status, features, queues, notifications and interrupts (virtio 1.2,
// sections 2 and 3). Transports add where the registers are.
//
// A driver that does not accept VIRTIO_F_VERSION_1 is one of the legacy interface, also where the registers are the modern ones:
// teaching kernels combine the two, and QEMU serves them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/state_visitor.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/virtio/device.h"
#include "emulator/memory/reader.h"

namespace weft::hw {

class VirtioRegisters : private VirtioTransport {
  protected:
    enum Status : uint32_t { kDriverOk = 4, kFeaturesOk = 8, kNeedsReset = 64 };
    enum Interrupt : uint32_t { kUsedBuffer = 1, kConfigChange = 2 };

    // `device` may be null, where nothing is plugged in. DMA goes through `space`. `name` is for messages, a literal.
    VirtioRegisters(mem::AddressSpace& space, MachineControl& control, std::unique_ptr<VirtioDevice> device,
                    const char* name);
    ~VirtioRegisters() override = default;

    // Makes the two known to each other: at the end of the transport's construction.
    void attach();

    // The interrupt's level; under the lock, as all that follows.
    virtual void set_irq(bool level) = 0;
    // What the driver is offered through the registers that it uses.
    virtual uint64_t offered_features() const = 0;
    // What all transports offer, and the device.
    uint64_t common_features() const { return device_->features() | kVirtioIndirect | kVirtioEventIndex; }

    Mutex& mutex() override { return mutex_; }
    mem::Reader& dma() override WEFT_REQUIRES(mutex_) { return dma_; }
    Virtqueue& queue(unsigned index) override WEFT_REQUIRES(mutex_) { return queues_[index]; }
    bool running() const override WEFT_REQUIRES(mutex_);
    uint64_t negotiated() const override WEFT_REQUIRES(mutex_);
    void used(Virtqueue& queue) override WEFT_REQUIRES(mutex_);
    void failure(const std::string& reason) override WEFT_REQUIRES(mutex_);
    void config_changed() override WEFT_REQUIRES(mutex_);

    // Half `select` (0 or 1) of what is offered; 0 for others.
    uint32_t device_features(uint32_t select) const WEFT_REQUIRES(mutex_);
    // Half `select`; others are ignored, as is what comes after the features were settled.
    void write_driver_features(uint32_t select, uint32_t value) WEFT_REQUIRES(mutex_);
    void write_status(uint32_t value) WEFT_REQUIRES(mutex_);
    void notify(uint32_t index) WEFT_REQUIRES(mutex_);
    void enable_queue(Virtqueue& queue) WEFT_REQUIRES(mutex_);
    void acknowledge(uint32_t interrupts) WEFT_REQUIRES(mutex_);
    // The driver's; transports with more to forget do so, too.
    virtual void reset_locked() WEFT_REQUIRES(mutex_);
    // All that there is besides what transports add, the device's state at the end.
    void visit_registers(StateVisitor& visitor) WEFT_REQUIRES(mutex_);
    // Whether the driver is one of the legacy interface, as far as it has said.
    bool legacy_driver() const WEFT_REQUIRES(mutex_) { return (driver_features_ & kVirtioVersion1) == 0; }
    void guest_error(const std::string& reason);

    // `value` with its upper or lower half replaced.
    static uint64_t with_half(uint64_t value, bool high, uint32_t half) {
        return high ? (value & 0xffffffff) | uint64_t{half} << 32 : (value & ~uint64_t{0xffffffff}) | half;
    }

    MachineControl& control_;
    const char* const name_;
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

  private:
    void interrupt(uint32_t reason) WEFT_REQUIRES(mutex_);

    // A legacy driver notified the device of a queue: it need not say DRIVER_OK (2.1, 3.1.1: drivers use queues before it).
    bool started_by_notification_ WEFT_GUARDED_BY(mutex_) = false;
};

}  // namespace weft::hw
