// virtio over PCI (virtio 1.2, section 4.1): the modern registers, and those of the legacy interface where it is transitional.
//
// Interrupts go by the pin: there is no MSI-X capability, as the board has nothing that would take its messages.
//
// Locks: accesses of the configuration space come under the bridge's lock, and take the device's for the window that it has there.
#pragma once

#include <cstdint>
#include <memory>

#include "emulator/hw/core/device_type.h"
#include "emulator/hw/pci/function.h"
#include "emulator/hw/virtio/registers.h"

namespace weft::hw {

class VirtioPci final : public PciFunction, private VirtioRegisters {
  public:
    // Where things are in base address 4; guests find them by the capabilities.
    static constexpr uint64_t kBarSize = 16 << 10;
    static constexpr uint32_t kPart = 0x1000;  // each part's size
    static constexpr uint32_t kCommon = 0, kIsr = kPart, kDevice = 2 * kPart, kNotify = 3 * kPart;
    static constexpr uint32_t kNotifyMultiplier = 4;
    static constexpr uint64_t kLegacyBarSize = 128;

    // `transitional`: with the legacy interface in base address 0, and the numbers that its drivers know.
    VirtioPci(const PciSite& site, MachineControl& control, std::unique_ptr<VirtioDevice> device,
              bool transitional);

    const char* why_not_saved() override WEFT_EXCLUDES(mutex_);

  private:
    static const mem::MemoryRegionOps kModernOps, kLegacyOps;

    // PciFunction
    void before_config_read(unsigned offset, unsigned size) override;
    void config_written(unsigned offset, unsigned size) override;
    void reset_device() override;
    void visit_device(StateVisitor& visitor) override;
    // VirtioRegisters
    void set_irq(bool level) override { set_interrupt(level); }
    uint64_t offered_features() const override;

    void add_express();
    unsigned add_part(uint8_t type, uint32_t offset, unsigned size);
    // Of the window in the configuration space: whether it names something, and what.
    bool window(uint32_t* offset, unsigned* size) const;

    uint32_t read(uint64_t offset, unsigned size) WEFT_REQUIRES(mutex_);
    void write(uint64_t offset, unsigned size, uint32_t value) WEFT_REQUIRES(mutex_);
    uint32_t read_common(uint64_t offset, unsigned size) WEFT_REQUIRES(mutex_);
    void write_common(uint64_t offset, unsigned size, uint32_t value) WEFT_REQUIRES(mutex_);
    void write_queue(uint64_t offset, uint32_t value) WEFT_REQUIRES(mutex_);
    uint32_t read_legacy(uint64_t offset, unsigned size) WEFT_REQUIRES(mutex_);
    void write_legacy(uint64_t offset, unsigned size, uint32_t value) WEFT_REQUIRES(mutex_);
    uint32_t take_interrupts() WEFT_REQUIRES(mutex_);

    const bool transitional_;
    unsigned window_ = 0;  // the capability
};

// DeviceType::make_pci of a virtio device: what its make_virtio makes, on PCI.
std::unique_ptr<PciFunction> make_virtio_pci(const DeviceConfig& config, const PciSite& site,
                                             MachineControl& control);

}  // namespace weft::hw
