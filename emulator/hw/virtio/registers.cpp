#include "emulator/hw/virtio/registers.h"

#include <fmt/format.h>

#include <utility>

namespace weft::hw {

VirtioRegisters::VirtioRegisters(mem::AddressSpace& space, MachineControl& control,
                                 std::unique_ptr<VirtioDevice> device, const char* name)
    : control_(control), name_(name), device_(std::move(device)), dma_(space) {
    if (device_ != nullptr) {
        queues_ = std::vector<Virtqueue>(device_->queue_count(), Virtqueue(device_->queue_size()));
    }
}

void VirtioRegisters::attach() {
    if (device_ != nullptr) {
        device_->attach(*this);
    }
}

void VirtioRegisters::reset_locked() {
    for (Virtqueue& queue : queues_) {
        queue.reset();
    }
    started_by_notification_ = false;
    driver_features_ = 0;
    device_features_select_ = 0;
    driver_features_select_ = 0;
    queue_select_ = 0;
    interrupt_status_ = 0;
    status_ = 0;
    set_irq(false);
    if (device_ != nullptr) {
        device_->reset();
    }
}

void VirtioRegisters::visit_registers(StateVisitor& visitor) {
    const uint64_t offered = visitor.value("offered features", offered_features());
    visitor.require(offered == offered_features(),
                    "the device offers other features here than where it was saved");
    const auto count = visitor.value("queues", static_cast<uint32_t>(queues_.size()));
    visitor.require(count == queues_.size(), "the device has another number of queues here");
    if (visitor.error()) {
        return;
    }
    for (Virtqueue& queue : queues_) {
        queue.visit_state(visitor);
    }
    visitor.number("driver features", driver_features_);
    visitor.number("device features select", device_features_select_);
    visitor.number("driver features select", driver_features_select_);
    visitor.number("queue select", queue_select_);
    visitor.number("interrupt status", interrupt_status_);
    visitor.number("status", status_, uint32_t{0xff});
    visitor.flag("started by notification", started_by_notification_);
    device_->visit_state(visitor);
    if (visitor.loads()) {
        set_irq(interrupt_status_ != 0);
    }
}

bool VirtioRegisters::running() const {
    if ((status_ & kNeedsReset) != 0) {
        return false;
    }
    if (legacy_driver()) {
        return (status_ & kDriverOk) != 0 || started_by_notification_;
    }
    return (status_ & (kFeaturesOk | kDriverOk)) == (kFeaturesOk | kDriverOk);
}

uint64_t VirtioRegisters::negotiated() const { return driver_features_ & offered_features(); }

void VirtioRegisters::interrupt(uint32_t reason) {
    interrupt_status_ |= reason;
    set_irq(true);
}

void VirtioRegisters::used(Virtqueue& queue) {
    const auto wanted = queue.wants_interrupt(dma_);
    if (!wanted) {
        failure(wanted.error().message());
    } else if (*wanted) {
        interrupt(kUsedBuffer);
    }
}

void VirtioRegisters::failure(const std::string& reason) {
    guest_error(reason);
    status_ |= kNeedsReset;
    if ((status_ & kDriverOk) != 0) {
        interrupt(kConfigChange);
    }
}

void VirtioRegisters::config_changed() {
    if ((status_ & kDriverOk) != 0) {
        interrupt(kConfigChange);
    }
}

void VirtioRegisters::guest_error(const std::string& reason) {
    control_.guest_error(
        fmt::format("{}, device {}: {}", name_, device_ != nullptr ? device_->id() : 0, reason).c_str());
}

void VirtioRegisters::enable_queue(Virtqueue& queue) {
    if (const auto enabled = queue.enable(negotiated()); !enabled) {
        failure(enabled.error().message());
    }
}

void VirtioRegisters::write_status(uint32_t value) {
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

void VirtioRegisters::notify(uint32_t index) {
    if (index >= queues_.size()) {
        guest_error(fmt::format("notification of queue {}, which does not exist", index));
    } else if (queues_[index].ready() && (status_ & kNeedsReset) == 0) {
        started_by_notification_ = started_by_notification_ || legacy_driver();
        if (running()) {
            device_->notify(index);
        }
    }
}

uint32_t VirtioRegisters::device_features(uint32_t select) const {
    return select < 2 ? static_cast<uint32_t>(offered_features() >> 32 * select) : 0;
}

void VirtioRegisters::write_driver_features(uint32_t select, uint32_t value) {
    if ((status_ & kFeaturesOk) != 0) {
        guest_error("features written after they were settled");
    } else if (select < 2) {
        driver_features_ = with_half(driver_features_, select == 1, value);
    }
}

void VirtioRegisters::acknowledge(uint32_t interrupts) {
    interrupt_status_ &= ~interrupts;
    set_irq(interrupt_status_ != 0);
}

}  // namespace weft::hw
