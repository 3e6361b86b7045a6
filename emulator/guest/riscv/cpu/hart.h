// A hart as devices and boards see it. Owned by the machine; its State belongs to the accelerator.
//
// guest/riscv/cpu is the hart: its state, CSRs, traps, interrupts, address translation and protection. translate/, guest_arch
// and hw/riscv use it; it knows isa/ and reaches clock and memory through VcpuServices alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "base/state_visitor.h"
#include "emulator/guest/riscv/cpu/state.h"
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
    counter_overflow = 13,  // Sscofpmf
};

// The board's timebase: ticks of `time` a second.
inline constexpr uint64_t kTimebaseHz = 10'000'000;
inline constexpr uint64_t kNsPerTick = 1'000'000'000 / kTimebaseHz;

class SemihostingCalls;

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
    bool attached() const { return state_ != nullptr; }

    // Who does the hart's semihosting calls, and outlives it; null: its breakpoints are all exceptions. Before the hart runs.
    void set_semihosting(SemihostingCalls* calls) { semihosting_ = calls; }
    SemihostingCalls* semihosting() const { return semihosting_; }

    // Drives an interrupt line of a device (not a timer). Any thread; wakes the hart where the level rose.
    // supervisor_software is the SSIP bit itself, which software writes too; the others are lines of their
    // own.
    void set_interrupt(Interrupt interrupt, bool level);

    // The CLINT's timer compare register of this hart, in ticks. Any thread; takes a lock of the hart's own.
    void set_mtimecmp(uint64_t ticks);
    uint64_t mtimecmp() const;

    // The machine's `time`, in ticks: the accelerator's clock and what was added to it. Any thread.
    uint64_t time() const;
    // The accelerator's clock alone. Any thread.
    uint64_t clock_ticks() const;
    // What is added to the clock, in ticks; the CLINT gives all harts the same. Any thread; takes a lock of the
    // hart's own.
    void set_time_offset(uint64_t ticks);

    // Makes what the seed register gives the same in every run from now on. While no vCPU runs.
    void fix_entropy(uint64_t seed) { fixed_entropy_ = seed; }
    // The next 16 bits of it; nothing where the host's are wanted. On the vCPU's thread.
    std::optional<uint16_t> next_fixed_entropy();

    // What the hart has beside its state (saved_state.h). On the vCPU's thread, while it is paused.
    void visit_state(StateVisitor& visitor);

    // For the rest of the hart, on its vCPU's thread. Takes note of mie, menvcfg, stimecmp and the counters in `state` and
    // sets the deadline to the next compare value that an enabled timer waits for, or to the next overflow of a counter if
    // that comes first and its interrupt is enabled.
    void rearm(State& state);
    // The same after `state` was replaced, whatever deadline was set before: that may have come, or be of another time.
    void rearm_anew(State& state);
    // The same, with mtimecmp out of reach, for a reset.
    void reset_timers(State& state);
    // The deadline that was set last: UINT64_MAX for none.
    uint64_t deadline_ns() const { return deadline_ns_.load(std::memory_order_relaxed); }

  private:
    void program_deadline(State& state) WEFT_REQUIRES(timer_mutex_);

    const uint64_t hart_id_;
    const uint64_t reset_pc_;
    State* state_ = nullptr;
    std::optional<uint64_t> fixed_entropy_;  // the generator's state
    SemihostingCalls* semihosting_ = nullptr;

    // Serialises the computation and the setting of the deadline, which the vCPU's thread (its CSRs) and
    // others (the CLINT) do. What the vCPU's thread alone may read is copied here for the others. Innermost
    // but for what VcpuServices::set_deadline takes.
    Mutex timer_mutex_;
    bool machine_timer_enabled_ WEFT_GUARDED_BY(timer_mutex_) = false;
    // stimecmp where Sstc is on and its interrupt enabled, else UINT64_MAX.
    uint64_t supervisor_compare_ WEFT_GUARDED_BY(timer_mutex_) = UINT64_MAX;
    // When the next counter overflows, where that interrupt is enabled, else UINT64_MAX. Nanoseconds of the accelerator's clock.
    uint64_t overflow_ns_ WEFT_GUARDED_BY(timer_mutex_) = UINT64_MAX;
    // Written under timer_mutex_; read by the vCPU's thread without it (a later change comes with a kick).
    std::atomic<uint64_t> deadline_ns_{UINT64_MAX};
};

// `time` when the accelerator's clock shows `ns`. Of any state, also of one without a hart.
inline uint64_t time_at(const State& state, uint64_t ns) {
    return ns / kNsPerTick + state.time_offset.load();
}

// The hart whose state it is: StateHeader::guest of a machine's vCPU. In process mode there is none, and nothing that U mode
// reaches asks for it.
inline Hart& hart_of(const State& state) { return *static_cast<Hart*>(state_header(&state).guest); }

}  // namespace weft::riscv
