// A 16550A serial port (National Semiconductor PC16550D data sheet, section 8).
//
// Transmission takes no time. Reception fills a FIFO of 16 characters (1 with FIFOs disabled) and stops the backend when it is
// full, so that nothing is lost.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/mutex.h"
#include "base/state_visitor.h"
#include "emulator/backend/char/char_backend.h"
#include "emulator/hw/core/irq.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/core/mmio.h"
#include "emulator/memory/topology.h"

namespace weft::hw {

class Uart16550 final : private backend::CharBackend::Receiver {
  public:
    static constexpr uint64_t kSize = 0x100;
    static constexpr uint32_t kClockHz = 3'686'400;

    // `backend` may be null: nothing is connected. Attaches itself as the backend's receiver.
    Uart16550(mem::Topology& topology, MachineControl& control, backend::CharBackend* backend, IrqLine irq);
    ~Uart16550() override;
    Uart16550(const Uart16550&) = delete;
    Uart16550& operator=(const Uart16550&) = delete;

    const mem::RegionPtr& region() const { return region_; }
    // Master reset; received characters are dropped.
    void reset();
    void visit_state(StateVisitor& visitor);

  private:
    friend struct MmioOps<Uart16550>;
    static constexpr unsigned kFifoSize = 16;

    unsigned can_receive() override;
    void receive(std::span<const uint8_t> data) override;

    uint64_t mmio_read(uint64_t offset, unsigned size) WEFT_REQUIRES(mutex_);
    void mmio_write(uint64_t offset, unsigned size, uint64_t value) WEFT_REQUIRES(mutex_);
    uint8_t read_data() WEFT_REQUIRES(mutex_);
    void write_data(uint8_t value) WEFT_REQUIRES(mutex_);
    void write_fifo_control(uint8_t value) WEFT_REQUIRES(mutex_);
    void write_modem_control(uint8_t value) WEFT_REQUIRES(mutex_);
    uint8_t line_status() const WEFT_REQUIRES(mutex_);
    uint8_t modem_lines() const WEFT_REQUIRES(mutex_);
    uint8_t interrupt_id() const WEFT_REQUIRES(mutex_);
    unsigned trigger() const WEFT_REQUIRES(mutex_);
    unsigned room() const WEFT_REQUIRES(mutex_);
    bool loopback() const WEFT_REQUIRES(mutex_);
    bool fifo_enabled() const WEFT_REQUIRES(mutex_);
    bool divisor_selected() const WEFT_REQUIRES(mutex_);
    void push(uint8_t character) WEFT_REQUIRES(mutex_);
    void clear_receiver() WEFT_REQUIRES(mutex_);
    void received() WEFT_REQUIRES(mutex_);
    void start_timeout() WEFT_REQUIRES(mutex_);
    void arm(uint64_t duration_ns) WEFT_REQUIRES(mutex_);
    void stop_timeout() WEFT_REQUIRES(mutex_);
    void timeout();
    void resume_backend() WEFT_REQUIRES(mutex_);
    void update_irq() WEFT_REQUIRES(mutex_);
    void set_registers_to_reset() WEFT_REQUIRES(mutex_);

    MachineControl& control_;
    backend::CharBackend* const backend_;
    const IrqLine irq_;
    Mutex mutex_;

    std::array<uint8_t, kFifoSize> fifo_ WEFT_GUARDED_BY(mutex_){};
    unsigned fifo_first_ WEFT_GUARDED_BY(mutex_) = 0;
    unsigned fifo_count_ WEFT_GUARDED_BY(mutex_) = 0;
    bool starved_ WEFT_GUARDED_BY(mutex_) = false;  // the backend was told that there is no room
    bool timer_running_ WEFT_GUARDED_BY(mutex_) = false;
    uint64_t timeout_at_ns_ WEFT_GUARDED_BY(mutex_) = 0;  // while it runs
    bool timeout_pending_ WEFT_GUARDED_BY(mutex_) = false;
    bool transmit_pending_ WEFT_GUARDED_BY(mutex_) =
        false;  // "holding register empty" is still to be reported

    uint8_t interrupt_enable_ WEFT_GUARDED_BY(mutex_) = 0;
    uint8_t fifo_control_ WEFT_GUARDED_BY(mutex_) = 0;
    uint8_t line_control_ WEFT_GUARDED_BY(mutex_) = 0;
    uint8_t modem_control_ WEFT_GUARDED_BY(mutex_) = 0;
    uint8_t line_errors_ WEFT_GUARDED_BY(mutex_) = 0;    // bits of LSR that reading it clears
    uint8_t modem_changes_ WEFT_GUARDED_BY(mutex_) = 0;  // lower half of MSR
    uint8_t scratch_ WEFT_GUARDED_BY(mutex_) = 0;
    uint16_t divisor_ WEFT_GUARDED_BY(mutex_) = 0;
    const mem::RegionPtr region_;
};

}  // namespace weft::hw
