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

}  // namespace

VirtioMmio::VirtioMmio(mem::AddressSpace& space, MachineControl& control,
                       std::unique_ptr<VirtioDevice> device, IrqLine irq, VirtioMmioLayout layout)
    : VirtioRegisters(space, control, std::move(device), "virtio-mmio"),
      irq_(irq),
      layout_(layout),
      legacy_queues_(queues_.size()),
      region_(space.topology().io("virtio-mmio", kSize, kOps, this, &mutex_)) {
    attach();
}

void VirtioMmio::reset() {
    const MutexLock lock(mutex_);
    reset_locked();
    page_shift_ = 0;
}

void VirtioMmio::reset_locked() {
    legacy_queues_.assign(queues_.size(), {});
    VirtioRegisters::reset_locked();
}

const char* VirtioMmio::why_not_saved() {
    const MutexLock lock(mutex_);
    return device_ == nullptr ? nullptr : device_->why_not_saved();
}

void VirtioMmio::visit_state(StateVisitor& visitor) {
    constexpr uint32_t kMostShift = 31;
    const MutexLock lock(mutex_);
    if (device_ == nullptr) {
        return;
    }
    visitor.number("page shift", page_shift_, kMostShift);
    for (LegacyQueue& legacy : legacy_queues_) {
        visitor.number("page", legacy.page);
        const uint32_t alignment = visitor.number("alignment", legacy.alignment);
        visitor.require(is_power_of_two(alignment), "a queue's alignment is no power of two");
    }
    visit_registers(visitor);
}

uint64_t VirtioMmio::offered_features() const {
    const uint64_t features = common_features();
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
            return device_features(device_features_select_);
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
            // The legacy layout has the lower half alone, and says so where it matters.
            if (layout_ == VirtioMmioLayout::modern || driver_features_select_ == 0) {
                write_driver_features(driver_features_select_, value);
            }
            break;
        case kQueueSel:
            queue_select_ = value;
            break;
        case kQueueNotify:
            notify(value);
            break;
        case kInterruptAck:
            acknowledge(value);
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
