#include "emulator/hw/rtc/goldfish.h"

#include <fmt/format.h>

namespace weft::hw {

namespace {

constexpr mem::MemoryRegionOps kOps = mmio_ops<GoldfishRtc>({4, 4, false});

enum Register : uint64_t {
    kTimeLow = 0x00,  // reading it latches TIME_HIGH; writing it sets the lower half
    kTimeHigh = 0x04,
    kAlarmLow = 0x08,  // writing it arms the alarm with the ALARM_HIGH written before
    kAlarmHigh = 0x0c,
    kIrqEnabled = 0x10,
    kClearAlarm = 0x14,
    kAlarmStatus = 0x18,
    kClearInterrupt = 0x1c,
};

constexpr uint64_t with_low(uint64_t value, uint64_t low) {
    return (value & ~uint64_t{0xffffffff}) | (low & 0xffffffff);
}
constexpr uint64_t with_high(uint64_t value, uint64_t high) { return (value & 0xffffffff) | high << 32; }

}  // namespace

GoldfishRtc::GoldfishRtc(mem::Topology& topology, MachineControl& control, IrqLine irq)
    : control_(control), irq_(irq), region_(topology.io("goldfish_rtc", kSize, kOps, this, &mutex_)) {}

GoldfishRtc::~GoldfishRtc() {
    const MutexLock lock(mutex_);
    disarm();
}

void GoldfishRtc::reset() {
    const MutexLock lock(mutex_);
    disarm();
    alarm_ = 0;
    latched_high_ = 0;
    pending_ = false;
    enabled_ = false;
    update_irq();
}

void GoldfishRtc::visit_state(StateVisitor& visitor) {
    const MutexLock lock(mutex_);
    visitor.number("offset", offset_);
    visitor.number("alarm", alarm_);
    visitor.number("TIME_HIGH", latched_high_);
    visitor.flag("pending", pending_);
    visitor.flag("enabled", enabled_);
    const bool runs = visitor.value<uint8_t>("armed", running_ ? 1 : 0, 1) != 0;
    if (visitor.loads()) {
        disarm();
        if (runs) {
            arm();
        }
        update_irq();
    }
}

uint64_t GoldfishRtc::now() { return control_.wall_clock_ns() + offset_; }

void GoldfishRtc::set_time(uint64_t time) {
    offset_ = time - control_.wall_clock_ns();
    if (running_) {
        arm();
    }
}

void GoldfishRtc::arm() {
    const uint64_t time = now();
    if (alarm_ <= time) {
        disarm();
        pending_ = true;
        update_irq();
        return;
    }
    running_ = true;
    const uint64_t delay = alarm_ - time;
    const uint64_t start = control_.now_ns();
    // An alarm beyond the clock's range never comes.
    const uint64_t deadline = delay < UINT64_MAX - start ? start + delay : UINT64_MAX;
    control_.set_timer(deadline, [](void* opaque) { static_cast<GoldfishRtc*>(opaque)->alarm(); }, this);
}

void GoldfishRtc::disarm() {
    if (running_) {
        running_ = false;
        control_.set_timer(UINT64_MAX, nullptr, this);
    }
}

void GoldfishRtc::alarm() {
    const MutexLock lock(mutex_);
    // It may have been cleared or set anew on another thread, or the wall clock set back: arm() looks again.
    if (running_) {
        arm();
    }
}

void GoldfishRtc::update_irq() { irq_.set(pending_ && enabled_); }

uint64_t GoldfishRtc::mmio_read(uint64_t offset, unsigned) {
    switch (offset) {
        case kTimeLow: {
            const uint64_t time = now();
            latched_high_ = static_cast<uint32_t>(time >> 32);
            return time & 0xffffffff;
        }
        case kTimeHigh:
            return latched_high_;
        case kAlarmLow:
            return alarm_ & 0xffffffff;
        case kAlarmHigh:
            return alarm_ >> 32;
        case kIrqEnabled:
            return enabled_ ? 1 : 0;
        case kAlarmStatus:
            return running_ ? 1 : 0;
        default:
            control_.guest_error(
                fmt::format("goldfish_rtc: read of {:#x}, which is no readable register", offset).c_str());
            return 0;
    }
}

void GoldfishRtc::mmio_write(uint64_t offset, unsigned, uint64_t value) {
    switch (offset) {
        case kTimeLow:
            set_time(with_low(now(), value));
            break;
        case kTimeHigh:
            set_time(with_high(now(), value));
            break;
        case kAlarmLow:
            alarm_ = with_low(alarm_, value);
            arm();
            break;
        case kAlarmHigh:
            alarm_ = with_high(alarm_, value);
            break;
        case kIrqEnabled:
            enabled_ = (value & 1) != 0;
            update_irq();
            break;
        case kClearAlarm:
            disarm();
            break;
        case kClearInterrupt:
            pending_ = false;
            update_irq();
            break;
        default:
            control_.guest_error(
                fmt::format("goldfish_rtc: write to {:#x}, which is no writable register", offset).c_str());
            break;
    }
}

}  // namespace weft::hw
