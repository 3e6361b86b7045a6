#include "emulator/hw/char/uart16550.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::hw {

namespace {

// Registers are bytes; a wider access reaches the one at its address.
constexpr mem::MemoryRegionOps kOps = mmio_ops<Uart16550>({1, 8, false});

enum Register : uint64_t {
    kData = 0,             // RBR, THR; divisor latch, lower half
    kInterruptEnable = 1,  // IER; divisor latch, upper half
    kInterruptId = 2,      // IIR; FCR when written
    kLineControl = 3,      // LCR
    kModemControl = 4,     // MCR
    kLineStatus = 5,       // LSR
    kModemStatus = 6,      // MSR
    kScratch = 7,          // SCR
};

enum InterruptEnable : uint8_t {
    kEnableReceived = 1,
    kEnableTransmit = 2,
    kEnableLine = 4,
    kEnableModem = 8
};

// IIR, in falling priority.
enum InterruptId : uint8_t {
    kIdLine = 0x6,
    kIdReceived = 0x4,
    kIdTimeout = 0xc,
    kIdTransmit = 0x2,
    kIdModem = 0x0,
    kIdNone = 0x1
};
constexpr uint8_t kIdFifosEnabled = 0xc0;

enum FifoControl : uint8_t { kFifoEnable = 0x01, kFifoClearReceiver = 0x02, kFifoTrigger = 0xc0 };

constexpr uint8_t kDivisorLatch = 0x80;  // LCR
constexpr uint8_t kBreak = 0x40;         // LCR

enum ModemControl : uint8_t {
    kDtr = 0x01,
    kRts = 0x02,
    kOut1 = 0x04,
    kOut2 = 0x08,
    kLoopback = 0x10,
    kModemMask = 0x1f
};

enum LineStatus : uint8_t {
    kDataReady = 0x01,
    kOverrun = 0x02,
    kHoldingEmpty = 0x20,
    kTransmitterEmpty = 0x40,
};
constexpr uint8_t kLineErrors = 0x1e;

enum ModemStatus : uint8_t { kCts = 0x10, kDsr = 0x20, kRi = 0x40, kDcd = 0x80, kRiEnded = 0x04 };

constexpr unsigned kTriggers[4] = {1, 4, 8, 14};

}  // namespace

Uart16550::Uart16550(mem::Topology& topology, MachineControl& control, backend::CharBackend* backend,
                     IrqLine irq)
    : control_(control),
      backend_(backend),
      irq_(irq),
      region_(topology.io("serial", kSize, kOps, this, &mutex_)) {
    if (backend_ != nullptr) {
        backend_->set_receiver(this);
    }
}

Uart16550::~Uart16550() {
    if (backend_ != nullptr) {
        backend_->set_receiver(nullptr);
    }
    const MutexLock lock(mutex_);
    stop_timeout();
}

void Uart16550::reset() {
    const MutexLock lock(mutex_);
    set_registers_to_reset();
    clear_receiver();
    update_irq();
}

void Uart16550::visit_state(StateVisitor& visitor) {
    // More than the slowest line takes for four characters.
    constexpr uint64_t kLongestTimeout = uint64_t{1} << 40;
    const MutexLock lock(mutex_);
    visitor.bytes("fifo", fifo_);
    visitor.number("first", fifo_first_, kFifoSize - 1);
    visitor.number("count", fifo_count_, kFifoSize);
    visitor.flag("timeout pending", timeout_pending_);
    visitor.flag("transmit pending", transmit_pending_);
    visitor.number("IER", interrupt_enable_, uint8_t{0xf});
    visitor.number("FCR", fifo_control_);
    visitor.number("LCR", line_control_);
    visitor.number("MCR", modem_control_, kModemMask);
    visitor.number("LSR", line_errors_, kLineErrors);
    visitor.number("MSR", modem_changes_, uint8_t{0xf});
    visitor.number("SCR", scratch_);
    visitor.number("divisor", divisor_);
    const uint64_t now = control_.now_ns();
    const bool runs = visitor.value<uint8_t>("timer", timer_running_ ? 1 : 0, 1) != 0;
    const uint64_t left = visitor.value(
        "timeout in",
        runs && timeout_at_ns_ > now && visitor.saves() ? std::min(timeout_at_ns_ - now, kLongestTimeout) : 0,
        kLongestTimeout);
    if (visitor.loads()) {
        if (timer_running_) {
            timer_running_ = false;
            control_.set_timer(UINT64_MAX, nullptr, this);
        }
        if (runs) {
            arm(left);
        }
        // The line behind it may have what it could not bring before.
        starved_ = true;
        update_irq();
        resume_backend();
    }
}

void Uart16550::set_registers_to_reset() {
    interrupt_enable_ = 0;
    fifo_control_ = 0;
    line_control_ = 0;
    modem_control_ = 0;
    line_errors_ = 0;
    modem_changes_ = 0;
    scratch_ = 0;
    divisor_ = 0;
    transmit_pending_ = false;
}

bool Uart16550::loopback() const { return (modem_control_ & kLoopback) != 0; }
bool Uart16550::fifo_enabled() const { return (fifo_control_ & kFifoEnable) != 0; }
bool Uart16550::divisor_selected() const { return (line_control_ & kDivisorLatch) != 0; }
unsigned Uart16550::room() const { return (fifo_enabled() ? kFifoSize : 1) - fifo_count_; }

unsigned Uart16550::trigger() const { return fifo_enabled() ? kTriggers[fifo_control_ >> 6] : 1; }

unsigned Uart16550::can_receive() {
    const MutexLock lock(mutex_);
    const unsigned count = loopback() ? 0 : room();
    starved_ = starved_ || count == 0;
    return count;
}

void Uart16550::receive(std::span<const uint8_t> data) {
    const MutexLock lock(mutex_);
    for (uint8_t character : data) {
        push(character);
    }
    received();
    update_irq();
}

void Uart16550::push(uint8_t character) {
    if (room() == 0) {
        // LSR bit 1: a full FIFO stays as it is, and the new character is lost; without FIFOs it replaces the one before.
        line_errors_ |= kOverrun;
        if (!fifo_enabled()) {
            fifo_[fifo_first_] = character;
        }
        return;
    }
    fifo_[(fifo_first_ + fifo_count_) % kFifoSize] = character;
    ++fifo_count_;
}

void Uart16550::received() {
    // The timeout counts from the last character that came or was read (data sheet, 8.8 "FIFO interrupt mode operation").
    // A filled FIFO interrupts without one.
    if (fifo_enabled() && fifo_count_ != 0 && fifo_count_ < trigger()) {
        start_timeout();
    }
}

void Uart16550::start_timeout() {
    // Four characters of start bit, data bits, parity and stop bits.
    const unsigned bits = 1 + 5 + (line_control_ & 3u) + ((line_control_ & 8) != 0 ? 1 : 0) +
                          ((line_control_ & 4) != 0 ? 2 : 1);
    const uint64_t divisor = divisor_ != 0 ? divisor_ : 1;
    const uint64_t duration = 4 * bits * 16 * divisor * 1'000'000'000 / kClockHz;
    arm(duration);
}

void Uart16550::arm(uint64_t duration_ns) {
    timer_running_ = true;
    timeout_at_ns_ = control_.now_ns() + duration_ns;
    control_.set_timer(
        timeout_at_ns_, [](void* opaque) { static_cast<Uart16550*>(opaque)->timeout(); }, this);
}

void Uart16550::stop_timeout() {
    timeout_pending_ = false;
    if (timer_running_) {
        timer_running_ = false;
        control_.set_timer(UINT64_MAX, nullptr, this);
    }
}

void Uart16550::timeout() {
    const MutexLock lock(mutex_);
    // It may have been stopped on another thread meanwhile.
    if (timer_running_) {
        timer_running_ = false;
        timeout_pending_ = fifo_count_ != 0;
        update_irq();
    }
}

void Uart16550::clear_receiver() {
    fifo_count_ = 0;
    stop_timeout();
    resume_backend();
}

void Uart16550::resume_backend() {
    if (starved_ && !loopback() && fifo_count_ == 0) {
        starved_ = false;
        if (backend_ != nullptr) {
            backend_->accept_input();
        }
    }
}

uint8_t Uart16550::interrupt_id() const {
    if ((interrupt_enable_ & kEnableLine) != 0 && line_errors_ != 0) {
        return kIdLine;
    }
    if ((interrupt_enable_ & kEnableReceived) != 0) {
        if (fifo_count_ >= trigger()) {
            return kIdReceived;
        }
        if (timeout_pending_) {
            return kIdTimeout;
        }
    }
    if ((interrupt_enable_ & kEnableTransmit) != 0 && transmit_pending_) {
        return kIdTransmit;
    }
    if ((interrupt_enable_ & kEnableModem) != 0 && modem_changes_ != 0) {
        return kIdModem;
    }
    return kIdNone;
}

void Uart16550::update_irq() { irq_.set(interrupt_id() != kIdNone); }

uint8_t Uart16550::line_status() const {
    return static_cast<uint8_t>(kHoldingEmpty | kTransmitterEmpty | line_errors_ |
                                (fifo_count_ != 0 ? kDataReady : 0));
}

// The upper half of MSR: the modem's lines, or in loopback mode the port's own.
uint8_t Uart16550::modem_lines() const {
    if (!loopback()) {
        return kCts | kDsr | kDcd;
    }
    unsigned lines = 0;
    if ((modem_control_ & kRts) != 0) {
        lines |= kCts;
    }
    if ((modem_control_ & kDtr) != 0) {
        lines |= kDsr;
    }
    if ((modem_control_ & kOut1) != 0) {
        lines |= kRi;
    }
    if ((modem_control_ & kOut2) != 0) {
        lines |= kDcd;
    }
    return static_cast<uint8_t>(lines);
}

uint8_t Uart16550::read_data() {
    if (fifo_count_ == 0) {
        return 0;
    }
    const uint8_t character = fifo_[fifo_first_];
    fifo_first_ = (fifo_first_ + 1) % kFifoSize;
    --fifo_count_;
    stop_timeout();
    received();
    resume_backend();
    update_irq();
    return character;
}

void Uart16550::write_data(uint8_t value) {
    if (loopback()) {
        push(value);
        received();
    } else if (backend_ != nullptr) {
        backend_->write(std::span(&value, 1));
    }
    // It left at once, so that the holding register is empty again.
    transmit_pending_ = true;
    update_irq();
}

void Uart16550::write_fifo_control(uint8_t value) {
    // The other bits count only together with this one, and changing it clears the FIFOs.
    const bool toggled = ((fifo_control_ ^ value) & kFifoEnable) != 0;
    fifo_control_ =
        (value & kFifoEnable) != 0 ? static_cast<uint8_t>(value & (kFifoEnable | kFifoTrigger)) : 0;
    if (toggled || (value & (kFifoEnable | kFifoClearReceiver)) == (kFifoEnable | kFifoClearReceiver)) {
        clear_receiver();
    }
    update_irq();
}

void Uart16550::write_modem_control(uint8_t value) {
    const uint8_t before = modem_lines();
    modem_control_ = value & kModemMask;
    const uint8_t after = modem_lines();
    // Only the end of a ring counts as a change.
    const auto changed = static_cast<uint8_t>((before ^ after) & (kCts | kDsr | kDcd));
    modem_changes_ |= static_cast<uint8_t>(changed >> 4);
    if ((before & ~after & kRi) != 0) {
        modem_changes_ |= kRiEnded;
    }
    resume_backend();
    update_irq();
}

uint64_t Uart16550::mmio_read(uint64_t offset, unsigned) {
    switch (offset) {
        case kData:
            return divisor_selected() ? divisor_ & 0xffu : read_data();
        case kInterruptEnable:
            return divisor_selected() ? divisor_ >> 8u : interrupt_enable_;
        case kInterruptId: {
            const uint8_t id = interrupt_id();
            // Reporting it answers it.
            if (id == kIdTransmit) {
                transmit_pending_ = false;
                update_irq();
            }
            return id | (fifo_enabled() ? kIdFifosEnabled : 0u);
        }
        case kLineControl:
            return line_control_;
        case kModemControl:
            return modem_control_;
        case kLineStatus: {
            const uint8_t status = line_status();
            line_errors_ = static_cast<uint8_t>(line_errors_ & ~kLineErrors);
            update_irq();
            return status;
        }
        case kModemStatus: {
            const auto status = static_cast<uint8_t>(modem_lines() | modem_changes_);
            modem_changes_ = 0;
            update_irq();
            return status;
        }
        case kScratch:
            return scratch_;
        default:
            control_.guest_error(
                fmt::format("uart16550: read of {:#x}, where no register is", offset).c_str());
            return 0;
    }
}

void Uart16550::mmio_write(uint64_t offset, unsigned, uint64_t wide) {
    const auto value = static_cast<uint8_t>(wide);
    switch (offset) {
        case kData:
            if (divisor_selected()) {
                divisor_ = static_cast<uint16_t>((divisor_ & 0xff00u) | value);
            } else {
                write_data(value);
            }
            break;
        case kInterruptEnable:
            if (divisor_selected()) {
                divisor_ = static_cast<uint16_t>((divisor_ & 0xffu) | value << 8u);
                break;
            }
            // Enabling it reports an empty holding register, however long it has been empty.
            if ((value & ~interrupt_enable_ & kEnableTransmit) != 0) {
                transmit_pending_ = true;
            }
            interrupt_enable_ = value & 0xf;
            update_irq();
            break;
        case kInterruptId:
            write_fifo_control(value);
            break;
        case kLineControl:
            if ((value & ~line_control_ & kBreak) != 0) {
                control_.unimplemented("uart16550: sending a break");
            }
            line_control_ = value;
            break;
        case kModemControl:
            write_modem_control(value);
            break;
        case kLineStatus:
        case kModemStatus:
            break;  // read-only
        case kScratch:
            scratch_ = value;
            break;
        default:
            control_.guest_error(
                fmt::format("uart16550: write to {:#x}, where no register is", offset).c_str());
            break;
    }
}

}  // namespace weft::hw
