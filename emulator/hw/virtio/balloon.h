// A virtio memory balloon (virtio 1.2, section 5.5, "Traditional Memory Balloon Device"): the guest's driver gives pages of RAM back
// while the operator asks for them, and takes them again.
//
// A page that is given back loses its bytes: it goes to the host, and reads as zero when the guest takes it again. There are no statistics.
#pragma once

#include <atomic>
#include <cstdint>

#include "emulator/hw/core/device_type.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/virtio/device.h"

namespace weft::hw {

class VirtioBalloon final : public VirtioDevice, private Balloon {
  public:
    static constexpr uint32_t kId = 5;
    static constexpr uint16_t kQueueSize = 128;
    static constexpr uint64_t kPageSize = 4096;
    // When it goes on with a queue that is never empty.
    static constexpr uint64_t kRetryNs = 1'000'000;

    // `control` outlives the device.
    explicit VirtioBalloon(MachineControl& control);
    ~VirtioBalloon() override;

    uint32_t id() const override { return kId; }
    uint64_t features() const override { return 0; }
    unsigned queue_count() const override { return 2; }
    uint16_t queue_size() const override { return kQueueSize; }
    uint64_t config_read(uint64_t offset, unsigned size) override;
    void config_write(uint64_t offset, unsigned size, uint64_t value) override;
    void attach(VirtioTransport& transport) override;
    void notify(unsigned index) override;
    // Pages that were given back are zeros in memory.
    const char* why_not_saved() const override { return nullptr; }
    void visit_state(StateVisitor& visitor) override;

  private:
    // Balloon
    void ask_for(uint32_t pages) override;
    uint32_t pages() override { return actual_.load(std::memory_order_relaxed); }

    bool take(const VirtioChain& chain);
    void go_on_later();

    MachineControl& control_;
    VirtioTransport* transport_ = nullptr;
    uint32_t wanted_ = 0;   // under the transport's lock
    bool goes_on_ = false;  // the same: a timer is set
    // Written under the transport's lock; the operator reads it alone. Relaxed: it stands for itself.
    std::atomic<uint32_t> actual_{0};
};

// virtio-balloon-device and virtio-balloon-pci.
extern const DeviceType kVirtioBalloonType, kVirtioBalloonPciType;

}  // namespace weft::hw
