// A hart as devices and boards see it. Owned by the machine; its State belongs to the accelerator.
#pragma once

#include <atomic>
#include <cstdint>

#include "emulator/target/riscv/state.h"
#include "weft/guest.h"

namespace weft::riscv {

// mip and mie bits, privileged specification 3.1.9.
enum class Interrupt : unsigned {
    supervisor_software = 1,
    machine_software = 3,
    supervisor_timer = 5,
    machine_timer = 7,
    supervisor_external = 9,
    machine_external = 11,
};

// The board's timebase: ticks of `time` a second.
inline constexpr uint64_t kTimebaseHz = 10'000'000;
inline constexpr uint64_t kNsPerTick = 1'000'000'000 / kTimebaseHz;

class Hart {
  public:
    Hart(uint64_t hart_id, uint64_t reset_pc) : hart_id_(hart_id), reset_pc_(reset_pc) {}
    Hart(const Hart&) = delete;
    Hart& operator=(const Hart&) = delete;

    uint64_t id() const { return hart_id_; }
    uint64_t reset_pc() const { return reset_pc_; }

    // Ties the hart to its vCPU's state. Once, before any other thread knows the hart.
    void attach(State* state) { state_ = state; }
    State& state() const { return *state_; }

    // Drives an interrupt line of a device (not a timer). Any thread; wakes the hart where the level rose.
    void set_interrupt(Interrupt interrupt, bool level);

    // The CLINT's timer compare register of this hart. Any thread.
    void set_mtimecmp(uint64_t ticks);
    uint64_t mtimecmp() const;

    // The machine's `time`, in ticks. Any thread.
    uint64_t time() const;

  private:
    const uint64_t hart_id_;
    const uint64_t reset_pc_;
    State* state_ = nullptr;
};

// The architecture as the accelerator sees it (constant). VcpuConfig::guest is the Hart.
const GuestArch& guest_arch();

}  // namespace weft::riscv
