#include "emulator/hw/virtio/mmio.h"

#include <fmt/format.h>

#include <utility>

namespace weft::hw {

namespace {

constexpr mem::MemoryRegionOps kOps = mmio_ops<VirtioMmio>({1, 8, false});

// Table 4.1 of virtio 1.2.
enum Register : uint64_t {
    kMagicValue = 0x000,
    kVersion = 0x004,
    kDeviceId = 0x008,
    kVendorId = 0x00c,
    kDeviceFeatures = 0x010,
    kDeviceFeaturesSel = 0x014,
    kDriverFeatures = 0x020,
    kDriverFeaturesSel = 0x024,
    kQueueSel = 0x030,
    kQueueSizeMax = 0x034,
    kQueueSize = 0x038,
    kQueueReady = 0x044,
    kQueueNotify = 0x050,
    kInterruptStatus = 0x060,
    kInterruptAck = 0x064,
    kStatus = 0x070,
    kQueueDescLow = 0x080,
    kQueueDescHigh = 0x084,
    kQueueDriverLow = 0x090,
    kQueueDriverHigh = 0x094,
    kQueueDeviceLow = 0x0a0,
    kQueueDeviceHigh = 0x0a4,
    kShmLenLow = 0x0b0,
    kShmLenHigh = 0x0b4,
    kShmBaseLow = 0x0b8,
    kShmBaseHigh = 0x0bc,
    kConfigGeneration = 0x0fc,
    kConfig = 0x100,
};

constexpr uint32_t kMagic = 0x74726976;   // "virt"
constexpr uint32_t kVendor = 0x74666577;  // "weft"

enum Status : uint32_t { kDriverOk = 4, kFeaturesOk = 8, kNeedsReset = 64 };
enum Interrupt : uint32_t { kUsedBuffer = 1, kConfigChange = 2 };

uint64_t with_half(uint64_t value, bool high, uint32_t half) {
    return high ? (value & 0xffffffff) | uint64_t{half} << 32 : (value & ~uint64_t{0xffffffff}) | half;
}

}  // namespace

VirtioMmio::VirtioMmio(mem::AddressSpace& space, MachineControl& control,
                       std::unique_ptr<VirtioDevice> device, IrqLine irq)
    : control_(control),
      irq_(irq),
      device_(std::move(device)),
      dma_(space),
      region_(space.topology().io("virtio-mmio", kSize, kOps, this, &mutex_)) {
    if (device_ != nullptr) {
        queues_ = std::vector<Virtqueue>(device_->queue_count(), Virtqueue(device_->queue_size()));
        device_->attach(*this);
    }
}

void VirtioMmio::reset() {
    const MutexLock lock(mutex_);
    reset_locked();
}

void VirtioMmio::reset_locked() {
    for (Virtqueue& queue : queues_) {
        queue.reset();
    }
    driver_features_ = 0;
    device_features_select_ = 0;
    driver_features_select_ = 0;
    queue_select_ = 0;
    interrupt_status_ = 0;
    status_ = 0;
    irq_.set(false);
}

bool VirtioMmio::running() const {
    return (status_ & (kFeaturesOk | kDriverOk | kNeedsReset)) == (kFeaturesOk | kDriverOk);
}

void VirtioMmio::interrupt(uint32_t reason) {
    interrupt_status_ |= reason;
    irq_.set(true);
}

void VirtioMmio::used(Virtqueue& queue) {
    const auto wanted = queue.wants_interrupt(dma_);
    if (!wanted) {
        failure(wanted.error().message());
    } else if (*wanted) {
        interrupt(kUsedBuffer);
    }
}

void VirtioMmio::failure(const std::string& reason) {
    guest_error(reason);
    status_ |= kNeedsReset;
    if ((status_ & kDriverOk) != 0) {
        interrupt(kConfigChange);
    }
}

void VirtioMmio::guest_error(const std::string& reason) {
    control_.guest_error(
        fmt::format("virtio-mmio, device {}: {}", device_ != nullptr ? device_->id() : 0, reason).c_str());
}

uint64_t VirtioMmio::offered_features() const {
    return device_->features() | kVirtioVersion1 | kVirtioIndirect | kVirtioEventIndex;
}

uint64_t VirtioMmio::mmio_read(uint64_t offset, unsigned size) {
    if (offset >= kConfig) {
        return device_ != nullptr ? device_->config_read(offset - kConfig, size) : 0;
    }
    // 4.2.2.2: registers are 32 bits wide and accessed as such.
    if (size != 4) {
        guest_error(fmt::format("read of {} bytes at {:#x}", size, offset));
        return 0;
    }
    return read_register(offset);
}

uint32_t VirtioMmio::read_register(uint64_t offset) {
    switch (offset) {
        case kMagicValue:
            return kMagic;
        case kVersion:
            return 2;
        case kDeviceId:
            return device_ != nullptr ? device_->id() : 0;
        case kVendorId:
            return kVendor;
        default:
            break;
    }
    if (device_ == nullptr) {
        return 0;
    }
    switch (offset) {
        case kDeviceFeatures:
            return device_features_select_ < 2
                       ? static_cast<uint32_t>(offered_features() >> 32 * device_features_select_)
                       : 0;
        case kQueueSizeMax:
            return queue_select_ < queues_.size() ? queues_[queue_select_].max_size() : 0;
        case kQueueReady:
            return queue_select_ < queues_.size() && queues_[queue_select_].ready() ? 1 : 0;
        case kInterruptStatus:
            return interrupt_status_;
        case kStatus:
            return status_;
        case kShmLenLow:
        case kShmLenHigh:
        case kShmBaseLow:
        case kShmBaseHigh:
            return UINT32_MAX;  // no shared memory region
        case kConfigGeneration:
            return 0;  // the configuration never changes
        default:
            guest_error(fmt::format("read of {:#x}, which is no readable register", offset));
            return 0;
    }
}

void VirtioMmio::mmio_write(uint64_t offset, unsigned size, uint64_t value) {
    if (device_ == nullptr) {
        return;
    }
    if (offset >= kConfig) {
        device_->config_write(offset - kConfig, size, value);
    } else if (size != 4) {
        guest_error(fmt::format("write of {} bytes at {:#x}", size, offset));
    } else {
        write_register(offset, static_cast<uint32_t>(value));
    }
}

void VirtioMmio::write_register(uint64_t offset, uint32_t value) {
    switch (offset) {
        case kDeviceFeaturesSel:
            device_features_select_ = value;
            break;
        case kDriverFeaturesSel:
            driver_features_select_ = value;
            break;
        case kDriverFeatures:
            if ((status_ & kFeaturesOk) != 0) {
                guest_error("features written after they were settled");
            } else if (driver_features_select_ < 2) {
                driver_features_ = with_half(driver_features_, driver_features_select_ == 1, value);
            }
            break;
        case kQueueSel:
            queue_select_ = value;
            break;
        case kQueueNotify:
            notify(value);
            break;
        case kInterruptAck:
            interrupt_status_ &= ~value;
            irq_.set(interrupt_status_ != 0);
            break;
        case kStatus:
            write_status(value);
            break;
        default:
            write_queue_register(offset, value);
            break;
    }
}

void VirtioMmio::write_queue_register(uint64_t offset, uint32_t value) {
    if (queue_select_ >= queues_.size()) {
        guest_error(fmt::format("write to {:#x} of queue {}, which does not exist", offset, queue_select_));
        return;
    }
    Virtqueue& queue = queues_[queue_select_];
    if (queue.ready() && offset != kQueueReady) {
        guest_error(fmt::format("write to {:#x} of queue {}, which is in use", offset, queue_select_));
        return;
    }
    switch (offset) {
        case kQueueSize:
            queue.set_size(value <= UINT16_MAX ? static_cast<uint16_t>(value) : 0);
            break;
        case kQueueDescLow:
        case kQueueDescHigh:
            queue.set_descriptors(with_half(queue.descriptors(), offset == kQueueDescHigh, value));
            break;
        case kQueueDriverLow:
        case kQueueDriverHigh:
            queue.set_available(with_half(queue.available(), offset == kQueueDriverHigh, value));
            break;
        case kQueueDeviceLow:
        case kQueueDeviceHigh:
            queue.set_used(with_half(queue.used(), offset == kQueueDeviceHigh, value));
            break;
        case kQueueReady:
            if ((value & 1) == 0) {
                queue.disable();
            } else if (!queue.ready()) {
                if (const auto enabled = queue.enable(driver_features_); !enabled) {
                    failure(enabled.error().message());
                }
            }
            break;
        default:
            guest_error(fmt::format("write to {:#x}, which is no writable register", offset));
            break;
    }
}

void VirtioMmio::write_status(uint32_t value) {
    if (value == 0) {
        reset_locked();
        return;
    }
    // 3.1.1: features that were not offered, or a driver of the legacy interface, are refused here.
    if ((value & ~status_ & kFeaturesOk) != 0 &&
        ((driver_features_ & ~offered_features()) != 0 || (driver_features_ & kVirtioVersion1) == 0)) {
        guest_error(fmt::format("features {:#x} are not those offered ({:#x})", driver_features_,
                                offered_features()));
        value &= ~uint32_t{kFeaturesOk};
    }
    if ((value & kDriverOk) != 0 && ((status_ | value) & kFeaturesOk) == 0) {
        guest_error("the driver starts without features that were agreed on");
    }
    // The driver neither sets nor clears the device's own bit, and clears none of its own but by a reset.
    const bool was_running = running();
    status_ |= value & 0xff & ~uint32_t{kNeedsReset};
    if (!was_running && running()) {
        // Chains may have been made available before.
        for (unsigned i = 0; i < queues_.size(); ++i) {
            notify(i);
        }
    }
}

void VirtioMmio::notify(uint32_t index) {
    if (index >= queues_.size()) {
        guest_error(fmt::format("notification of queue {}, which does not exist", index));
    } else if (running() && queues_[index].ready()) {
        device_->notify(index);
    }
}

}  // namespace weft::hw
