#include "emulator/hw/virtio/mmio.h"

#include <fmt/format.h>

#include <bit>
#include <utility>

#include "base/bits.h"

namespace weft::hw {

namespace {

constexpr mem::MemoryRegionOps kOps = mmio_ops<VirtioMmio>({1, 8, false});

// Tables 4.1 and 4.2 of virtio 1.2.
enum Register : uint64_t {
    kMagicValue = 0x000,
    kVersion = 0x004,
    kDeviceId = 0x008,
    kVendorId = 0x00c,
    kDeviceFeatures = 0x010,
    kDeviceFeaturesSel = 0x014,
    kDriverFeatures = 0x020,
    kDriverFeaturesSel = 0x024,
    kLegacyPageSize = 0x028,
    kQueueSel = 0x030,
    kQueueSizeMax = 0x034,
    kQueueSize = 0x038,
    kLegacyQueueAlign = 0x03c,
    kLegacyQueuePage = 0x040,
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
constexpr uint32_t kVendor = 0x554d4551;  // "QEMU": there are drivers that insist on it

enum Status : uint32_t { kDriverOk = 4, kFeaturesOk = 8, kNeedsReset = 64 };
enum Interrupt : uint32_t { kUsedBuffer = 1, kConfigChange = 2 };

uint64_t with_half(uint64_t value, bool high, uint32_t half) {
    return high ? (value & 0xffffffff) | uint64_t{half} << 32 : (value & ~uint64_t{0xffffffff}) | half;
}

}  // namespace

VirtioMmio::VirtioMmio(mem::AddressSpace& space, MachineControl& control,
                       std::unique_ptr<VirtioDevice> device, IrqLine irq, VirtioMmioLayout layout)
    : control_(control),
      irq_(irq),
      layout_(layout),
      device_(std::move(device)),
      dma_(space),
      region_(space.topology().io("virtio-mmio", kSize, kOps, this, &mutex_)) {
    if (device_ != nullptr) {
        queues_ = std::vector<Virtqueue>(device_->queue_count(), Virtqueue(device_->queue_size()));
        legacy_queues_.resize(queues_.size());
        device_->attach(*this);
    }
}

void VirtioMmio::reset() {
    const MutexLock lock(mutex_);
    reset_locked();
    page_shift_ = 0;
}

void VirtioMmio::reset_locked() {
    for (Virtqueue& queue : queues_) {
        queue.reset();
    }
    legacy_queues_.assign(queues_.size(), {});
    started_by_notification_ = false;
    driver_features_ = 0;
    device_features_select_ = 0;
    driver_features_select_ = 0;
    queue_select_ = 0;
    interrupt_status_ = 0;
    status_ = 0;
    irq_.set(false);
    if (device_ != nullptr) {
        device_->reset();
    }
}

bool VirtioMmio::legacy_driver() const { return (driver_features_ & kVirtioVersion1) == 0; }

bool VirtioMmio::running() const {
    if ((status_ & kNeedsReset) != 0) {
        return false;
    }
    if (legacy_driver()) {
        return (status_ & kDriverOk) != 0 || started_by_notification_;
    }
    return (status_ & (kFeaturesOk | kDriverOk)) == (kFeaturesOk | kDriverOk);
}

uint64_t VirtioMmio::negotiated() const { return driver_features_ & offered_features(); }

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
    const uint64_t features = device_->features() | kVirtioIndirect | kVirtioEventIndex;
    // 4.2.4: the legacy interface has 32 of them. It must be told there that descriptors are cut anywhere.
    return layout_ == VirtioMmioLayout::legacy ? (features & UINT32_MAX) | kVirtioAnyLayout
                                               : features | kVirtioVersion1;
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
            return layout_ == VirtioMmioLayout::legacy ? 1 : 2;
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
        case kInterruptStatus:
            return interrupt_status_;
        case kStatus:
            return status_;
        default:
            break;
    }
    if (layout_ == VirtioMmioLayout::legacy) {
        return read_legacy_register(offset);
    }
    switch (offset) {
        case kQueueReady:
            return queue_select_ < queues_.size() && queues_[queue_select_].ready() ? 1 : 0;
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

uint32_t VirtioMmio::read_legacy_register(uint64_t offset) {
    if (offset == kLegacyQueuePage) {
        return queue_select_ < queues_.size() && queues_[queue_select_].ready()
                   ? legacy_queues_[queue_select_].page
                   : 0;
    }
    guest_error(fmt::format("read of {:#x}, which is no readable register of the legacy layout", offset));
    return 0;
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
            } else if (driver_features_select_ < (layout_ == VirtioMmioLayout::legacy ? 1 : 2)) {
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
        case kLegacyPageSize:
            if (layout_ == VirtioMmioLayout::legacy) {
                page_shift_ = value == 0 ? 0 : static_cast<unsigned>(std::countr_zero(value));
                break;
            }
            [[fallthrough]];
        default:
            if (queue_select_ >= queues_.size()) {
                guest_error(
                    fmt::format("write to {:#x} of queue {}, which does not exist", offset, queue_select_));
            } else if (layout_ == VirtioMmioLayout::legacy) {
                write_legacy_queue_register(offset, value);
            } else {
                write_queue_register(offset, value);
            }
            break;
    }
}

void VirtioMmio::enable_queue(Virtqueue& queue) {
    if (const auto enabled = queue.enable(negotiated()); !enabled) {
        failure(enabled.error().message());
    }
}

// With a page the queue is in use; a driver may yet set size and alignment after it.
void VirtioMmio::place_legacy_queue(unsigned index) {
    Virtqueue& queue = queues_[index];
    const LegacyQueue& legacy = legacy_queues_[index];
    queue.disable();
    if (legacy.page != 0) {
        queue.set_ring(uint64_t{legacy.page} << page_shift_, legacy.alignment);
        enable_queue(queue);
    }
}

void VirtioMmio::write_legacy_queue_register(uint64_t offset, uint32_t value) {
    LegacyQueue& legacy = legacy_queues_[queue_select_];
    switch (offset) {
        case kQueueSize:
            queues_[queue_select_].set_size(value <= UINT16_MAX ? static_cast<uint16_t>(value) : 0);
            place_legacy_queue(queue_select_);
            break;
        case kLegacyQueueAlign:
            // There are drivers that write 0 and mean the default.
            if (is_power_of_two(value)) {
                legacy.alignment = value;
                place_legacy_queue(queue_select_);
            } else if (value != 0) {
                guest_error(fmt::format("queue alignment {} is no power of two", value));
            }
            break;
        case kLegacyQueuePage:
            legacy.page = value;
            place_legacy_queue(queue_select_);
            break;
        default:
            guest_error(
                fmt::format("write to {:#x}, which is no writable register of the legacy layout", offset));
            break;
    }
}

void VirtioMmio::write_queue_register(uint64_t offset, uint32_t value) {
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
                enable_queue(queue);
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
    // 3.1.1: features that were not offered are refused here. The legacy interface cannot say so (3.1.2): there they do not
    // count.
    if ((value & ~status_ & kFeaturesOk) != 0 && (driver_features_ & ~offered_features()) != 0) {
        guest_error(fmt::format("features {:#x} are not those offered ({:#x})", driver_features_,
                                offered_features()));
        if (!legacy_driver()) {
            value &= ~uint32_t{kFeaturesOk};
        }
    }
    if (!legacy_driver() && (value & kDriverOk) != 0 && ((status_ | value) & kFeaturesOk) == 0) {
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
    } else if (queues_[index].ready() && (status_ & kNeedsReset) == 0) {
        started_by_notification_ = started_by_notification_ || legacy_driver();
        if (running()) {
            device_->notify(index);
        }
    }
}

namespace {

constexpr DeviceProperty kProperties[] = {
    {"force-legacy", PropertyKind::on_off, "on", 0, 0,
     "the legacy register layout, version 1 (QEMU's default); off: version 2"},
};

}  // namespace

constexpr DeviceType kVirtioMmioType = {
    .name = "virtio-mmio",
    .bus = Bus::board,
    .help = "the board's virtio slots",
    .properties = kProperties,
    .make_virtio = nullptr,
};

VirtioMmioLayout virtio_mmio_layout(const DeviceConfig& config) {
    return config.on("force-legacy") ? VirtioMmioLayout::legacy : VirtioMmioLayout::modern;
}

}  // namespace weft::hw
