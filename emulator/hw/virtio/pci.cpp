#include "emulator/hw/virtio/pci.h"

#include <fmt/format.h>

#include <utility>

#include "base/bits.h"
#include "emulator/hw/pci/express.h"

namespace weft::hw {

namespace {

constexpr uint16_t kVendor = 0x1af4;

// 4.1.4: struct virtio_pci_cap and what follows it.
enum Capability : uint8_t { kCommonPart = 1, kNotifyPart = 2, kIsrPart = 3, kDevicePart = 4, kWindow = 5 };
constexpr uint8_t kVendorCapability = 0x09;
constexpr unsigned kCapabilitySize = 16;
constexpr unsigned kCapType = 3, kCapBar = 4, kCapOffset = 8, kCapLength = 12, kCapTail = 16;
constexpr unsigned kModernBar = 4;

// 4.1.4.3: struct virtio_pci_common_cfg.
enum Common : uint64_t {
    kDeviceFeatureSelect = 0x00,
    kDeviceFeature = 0x04,
    kDriverFeatureSelect = 0x08,
    kDriverFeature = 0x0c,
    kConfigVector = 0x10,
    kQueueCount = 0x12,
    kStatus = 0x14,
    kGeneration = 0x15,
    kQueueSelect = 0x16,
    kQueueSize = 0x18,
    kQueueVector = 0x1a,
    kQueueEnable = 0x1c,
    kQueueNotifyOffset = 0x1e,
    kQueueDescriptors = 0x20,
    kQueueDriver = 0x28,
    kQueueDevice = 0x30,
    kCommonEnd = 0x38,
};
constexpr uint16_t kNoVector = 0xffff;

// How wide a register is (4.1.3.1: it is accessed as such, 64-bit ones as two halves); 0: there is none.
constexpr unsigned width_of(uint64_t offset) {
    if (offset < kConfigVector || (offset >= kQueueDescriptors && offset < kCommonEnd)) {
        return offset % 4 == 0 ? 4 : 0;
    }
    if (offset == kStatus || offset == kGeneration) {
        return 1;
    }
    return offset < kQueueDescriptors && offset % 2 == 0 ? 2 : 0;
}

// 4.1.4.10: the legacy interface's registers.
enum Legacy : uint64_t {
    kLegacyDeviceFeatures = 0x00,
    kLegacyDriverFeatures = 0x04,
    kLegacyQueuePage = 0x08,
    kLegacyQueueSize = 0x0c,
    kLegacyQueueSelect = 0x0e,
    kLegacyNotify = 0x10,
    kLegacyStatus = 0x12,
    kLegacyIsr = 0x13,
    kLegacyConfig = 0x14,
};
constexpr unsigned kLegacyPageShift = 12;

// 4.1.2.1: numbers of transitional devices, and what kind of device a PCI driver takes each for.
struct Kind {
    uint32_t id;
    uint16_t transitional;
    uint32_t class_code;
};
constexpr Kind kKinds[] = {
    {1, 0x1000, 0x020000},  // network: Ethernet
    {2, 0x1001, 0x010000},  // block: SCSI
    {3, 0x1003, 0x078000},  // console: other communication
    {4, 0x1005, 0x00ff00},  // entropy: none
    {5, 0x1002, 0x00ff00},  // balloon: none
    {9, 0x1009, 0x00ff00},  // 9P: none
};

PciFunction::Identity identity(uint32_t id, bool transitional) {
    Kind kind{id, 0, 0x00ff00};
    for (const Kind& known : kKinds) {
        if (known.id == id) {
            kind = known;
        }
    }
    if (transitional && kind.transitional != 0) {
        return {kVendor, kind.transitional, 0, kind.class_code, kVendor, static_cast<uint16_t>(id)};
    }
    return {kVendor, static_cast<uint16_t>(0x1040 + id), 1, kind.class_code, kVendor, 0x1100};
}

}  // namespace

const mem::MemoryRegionOps VirtioPci::kModernOps = {
    [](void* device, uint64_t offset, unsigned size, uint64_t* value) WEFT_NO_THREAD_SAFETY_ANALYSIS {
        *value = static_cast<VirtioPci*>(device)->read(offset, size);
        return DeviceStatus::ok;
    },
    [](void* device, uint64_t offset, unsigned size, uint64_t value) WEFT_NO_THREAD_SAFETY_ANALYSIS {
        static_cast<VirtioPci*>(device)->write(offset, size, static_cast<uint32_t>(value));
        return DeviceStatus::ok;
    },
    {1, 8, false},
    {1, 4, false},
};

const mem::MemoryRegionOps VirtioPci::kLegacyOps = {
    [](void* device, uint64_t offset, unsigned size, uint64_t* value) WEFT_NO_THREAD_SAFETY_ANALYSIS {
        *value = static_cast<VirtioPci*>(device)->read_legacy(offset, size);
        return DeviceStatus::ok;
    },
    [](void* device, uint64_t offset, unsigned size, uint64_t value) WEFT_NO_THREAD_SAFETY_ANALYSIS {
        static_cast<VirtioPci*>(device)->write_legacy(offset, size, static_cast<uint32_t>(value));
        return DeviceStatus::ok;
    },
    {1, 4, false},
    {1, 4, false},
};

VirtioPci::VirtioPci(const PciSite& site, MachineControl& control, std::unique_ptr<VirtioDevice> device,
                     bool transitional)
    : PciFunction(site, "virtio-pci", identity(device->id(), transitional)),
      VirtioRegisters(dma_space(), control, std::move(device), "virtio-pci"),
      transitional_(transitional) {
    set_interrupt_pin();
    if (transitional_) {
        add_bar(0, BarKind::io,
                site.topology.io("virtio-pci-legacy", kLegacyBarSize, kLegacyOps, this, &mutex_));
    }
    add_bar(kModernBar, BarKind::memory64,
            site.topology.io("virtio-pci-modern", kBarSize, kModernOps, this, &mutex_));
    add_part(kCommonPart, kCommon, kCapabilitySize);
    add_part(kIsrPart, kIsr, kCapabilitySize);
    add_part(kDevicePart, kDevice, kCapabilitySize);
    set(add_part(kNotifyPart, kNotify, kCapabilitySize + 4) + kCapTail, 4, kNotifyMultiplier);
    // 4.1.4.9: a window for who cannot reach memory.
    window_ = add_part(kWindow, 0, kCapabilitySize + 4);
    set(window_ + kCapBar, 1, 0);
    set(window_ + kCapLength, 4, 0);
    set_writable(window_ + kCapBar, 1, 0xff);
    set_writable(window_ + kCapOffset, 4, UINT32_MAX);
    set_writable(window_ + kCapLength, 4, UINT32_MAX);
    set_writable(window_ + kCapTail, 4, UINT32_MAX);
    if (site.express) {
        add_express();
    }
    attach();
}

// What every function at the end of a link has (PCI Express Base Specification 5.0, 7.5.3).
void VirtioPci::add_express() {
    const unsigned at = add_capability(express::kId, express::kSize);
    set(at + express::kFlags, 2, express::kVersion | express::kEndpoint);
    set(at + express::kDeviceCapabilities, 4, express::kRoleBasedErrors);
    set(at + express::kDeviceControl, 2, express::kDeviceControlReset);
    set_writable(at + express::kDeviceControl, 2, express::kDeviceControlMask);
    set(at + express::kLinkCapabilities, 4, express::kSpeed | express::kWidth);
    set_writable(at + express::kLinkControl, 2, express::kLinkControlMask & ~express::kLinkDisable);
    set(at + express::kLinkStatus, 2, express::kSpeed | express::kWidth);
    set(at + express::kLinkCapabilities2, 4, express::kSpeeds);
    set(at + express::kLinkControl2, 2, express::kSpeed);
}

unsigned VirtioPci::add_part(uint8_t type, uint32_t offset, unsigned size) {
    const unsigned at = add_capability(kVendorCapability, size);
    set(at + 2, 1, size);
    set(at + kCapType, 1, type);
    set(at + kCapBar, 1, kModernBar);
    set(at + kCapOffset, 4, offset);
    set(at + kCapLength, 4, kPart);
    return at;
}

uint64_t VirtioPci::offered_features() const {
    return common_features() | kVirtioVersion1 | (transitional_ ? kVirtioAnyLayout : 0);
}

void VirtioPci::reset_device() {
    const MutexLock lock(mutex_);
    reset_locked();
}

const char* VirtioPci::why_not_saved() {
    const MutexLock lock(mutex_);
    return device_->why_not_saved();
}

void VirtioPci::visit_device(StateVisitor& visitor) {
    const MutexLock lock(mutex_);
    visit_registers(visitor);
}

// ---- the window in the configuration space ----

bool VirtioPci::window(uint32_t* offset, unsigned* size) const {
    *offset = get(window_ + kCapOffset, 4);
    *size = get(window_ + kCapLength, 4);
    return get(window_ + kCapBar, 1) == kModernBar && (*size == 1 || *size == 2 || *size == 4) &&
           *offset <= kBarSize - *size && *offset % *size == 0;
}

void VirtioPci::before_config_read(unsigned offset, unsigned size) {
    uint32_t at = 0;
    unsigned width = 0;
    if (offset + size > window_ + kCapTail && offset < window_ + kCapTail + 4 && window(&at, &width)) {
        const MutexLock lock(mutex_);
        show(window_ + kCapTail, 4, read(at, width));
    }
}

void VirtioPci::config_written(unsigned offset, unsigned size) {
    uint32_t at = 0;
    unsigned width = 0;
    if (offset + size > window_ + kCapTail && offset < window_ + kCapTail + 4 && window(&at, &width)) {
        const MutexLock lock(mutex_);
        write(at, width, get(window_ + kCapTail, width));
    }
}

// ---- the modern registers ----

// 4.1.4.5: reading says what interrupted, and that it was seen.
uint32_t VirtioPci::take_interrupts() {
    const uint32_t reasons = interrupt_status_;
    acknowledge(reasons);
    return reasons;
}

uint32_t VirtioPci::read(uint64_t offset, unsigned size) {
    switch (offset / kPart * kPart) {
        case kCommon:
            return read_common(offset, size);
        case kIsr:
            return offset == kIsr ? take_interrupts() : 0;
        case kDevice:
            return static_cast<uint32_t>(device_->config_read(offset - kDevice, size));
        default:
            return 0;  // of notifications
    }
}

void VirtioPci::write(uint64_t offset, unsigned size, uint32_t value) {
    switch (offset / kPart * kPart) {
        case kCommon:
            write_common(offset, size, value);
            break;
        case kDevice:
            device_->config_write(offset - kDevice, size, value);
            break;
        case kNotify:
            // 4.1.4.4: the place says which queue, as does the value.
            notify(static_cast<uint32_t>((offset - kNotify) / kNotifyMultiplier));
            break;
        default:
            break;
    }
}

uint32_t VirtioPci::read_common(uint64_t offset, unsigned size) {
    if (size != width_of(offset)) {
        guest_error(fmt::format("read of {} bytes at {:#x}", size, offset));
        return 0;
    }
    switch (offset) {
        case kDeviceFeatureSelect:
            return device_features_select_;
        case kDeviceFeature:
            return device_features(device_features_select_);
        case kDriverFeatureSelect:
            return driver_features_select_;
        case kDriverFeature:
            return driver_features_select_ < 2
                       ? static_cast<uint32_t>(driver_features_ >> 32 * driver_features_select_)
                       : 0;
        case kConfigVector:
        case kQueueVector:
            return kNoVector;
        case kQueueCount:
            return static_cast<uint32_t>(queues_.size());
        case kStatus:
            return status_;
        case kGeneration:
            return 0;  // the configuration never changes
        case kQueueSelect:
            return queue_select_;
        default:
            break;
    }
    if (queue_select_ >= queues_.size()) {
        return 0;  // 4.1.4.3.1: a size of 0 says that there is no such queue
    }
    const Virtqueue& queue = queues_[queue_select_];
    const auto half = [&](uint64_t address) { return static_cast<uint32_t>(address >> 8 * (offset & 4)); };
    switch (offset & ~uint64_t{offset >= kQueueDescriptors ? 4u : 0u}) {
        case kQueueSize:
            return queue.size();
        case kQueueEnable:
            return queue.ready() ? 1 : 0;
        case kQueueNotifyOffset:
            return queue_select_;
        case kQueueDescriptors:
            return half(queue.descriptors());
        case kQueueDriver:
            return half(queue.available());
        default:
            return half(queue.used());
    }
}

void VirtioPci::write_common(uint64_t offset, unsigned size, uint32_t value) {
    if (size != width_of(offset)) {
        guest_error(fmt::format("write of {} bytes at {:#x}", size, offset));
        return;
    }
    switch (offset) {
        case kDeviceFeatureSelect:
            device_features_select_ = value;
            break;
        case kDriverFeatureSelect:
            driver_features_select_ = value;
            break;
        case kDriverFeature:
            write_driver_features(driver_features_select_, value);
            break;
        case kConfigVector:
        case kQueueVector:
            break;  // reading tells that there is none
        case kStatus:
            write_status(value);
            break;
        case kQueueSelect:
            queue_select_ = value;
            break;
        default:
            if (queue_select_ >= queues_.size()) {
                guest_error(
                    fmt::format("write to {:#x} of queue {}, which does not exist", offset, queue_select_));
            } else {
                write_queue(offset, value);
            }
            break;
    }
}

void VirtioPci::write_queue(uint64_t offset, uint32_t value) {
    Virtqueue& queue = queues_[queue_select_];
    if (queue.ready()) {
        guest_error(fmt::format("write to {:#x} of queue {}, which is in use", offset, queue_select_));
        return;
    }
    const bool high = (offset & 4) != 0;
    switch (offset & ~uint64_t{offset >= kQueueDescriptors ? 4u : 0u}) {
        case kQueueSize:
            queue.set_size(static_cast<uint16_t>(value));
            break;
        case kQueueEnable:
            if (value == 1) {
                enable_queue(queue);
            }
            break;
        case kQueueDescriptors:
            queue.set_descriptors(with_half(queue.descriptors(), high, value));
            break;
        case kQueueDriver:
            queue.set_available(with_half(queue.available(), high, value));
            break;
        case kQueueDevice:
            queue.set_used(with_half(queue.used(), high, value));
            break;
        default:
            guest_error(fmt::format("write to {:#x}, which is no writable register", offset));
            break;
    }
}

// ---- the legacy registers ----

uint32_t VirtioPci::read_legacy(uint64_t offset, unsigned size) {
    if (offset >= kLegacyConfig) {
        return static_cast<uint32_t>(device_->config_read(offset - kLegacyConfig, size));
    }
    const bool exists = queue_select_ < queues_.size();
    switch (offset) {
        case kLegacyDeviceFeatures:
            return device_features(0);
        case kLegacyDriverFeatures:
            return static_cast<uint32_t>(driver_features_);
        case kLegacyQueuePage:
            return exists && queues_[queue_select_].ready()
                       ? static_cast<uint32_t>(queues_[queue_select_].descriptors() >> kLegacyPageShift)
                       : 0;
        case kLegacyQueueSize:
            return exists ? queues_[queue_select_].max_size() : 0;
        case kLegacyQueueSelect:
            return queue_select_;
        case kLegacyStatus:
            return status_;
        case kLegacyIsr:
            return take_interrupts();
        default:
            guest_error(
                fmt::format("read of {:#x}, which is no readable register of the legacy interface", offset));
            return 0;
    }
}

void VirtioPci::write_legacy(uint64_t offset, unsigned size, uint32_t value) {
    if (offset >= kLegacyConfig) {
        device_->config_write(offset - kLegacyConfig, size, value);
        return;
    }
    switch (offset) {
        case kLegacyDriverFeatures:
            write_driver_features(0, value);
            break;
        case kLegacyQueuePage:
            if (queue_select_ >= queues_.size()) {
                guest_error(fmt::format("place of queue {}, which does not exist", queue_select_));
                break;
            }
            queues_[queue_select_].disable();
            if (value != 0) {
                queues_[queue_select_].set_size(queues_[queue_select_].max_size());
                queues_[queue_select_].set_ring(uint64_t{value} << kLegacyPageShift, 1u << kLegacyPageShift);
                enable_queue(queues_[queue_select_]);
            }
            break;
        case kLegacyQueueSelect:
            queue_select_ = value & 0xffff;
            break;
        case kLegacyNotify:
            notify(value & 0xffff);
            break;
        case kLegacyStatus:
            write_status(value & 0xff);
            break;
        default:
            guest_error(
                fmt::format("write to {:#x}, which is no writable register of the legacy interface", offset));
            break;
    }
}

std::unique_ptr<PciFunction> make_virtio_pci(const DeviceConfig& config, const PciSite& site,
                                             MachineControl& control) {
    return std::make_unique<VirtioPci>(site, control, config.type().make_virtio(config, control),
                                       config.pci().legacy && (!site.express || config.pci().legacy_said));
}

}  // namespace weft::hw
