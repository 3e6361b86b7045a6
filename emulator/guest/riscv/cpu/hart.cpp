#include "emulator/guest/riscv/cpu/hart.h"

#include <algorithm>

#include "base/assert.h"
#include "base/hash.h"
#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/pmu.h"

namespace weft::riscv {
namespace {

// When the clock, which shows `now` ticks, has gone on by `ticks`: nanoseconds, at most UINT64_MAX.
uint64_t ns_after(uint64_t now, uint64_t ticks) {
    return ticks > UINT64_MAX / kNsPerTick - now ? UINT64_MAX : (now + ticks) * kNsPerTick;
}

// The bit of State::mip that a device drives.
uint64_t device_bit(Interrupt interrupt) {
    switch (interrupt) {
        case Interrupt::supervisor_software:
        case Interrupt::machine_software:
        case Interrupt::machine_external:
            return uint64_t{1} << static_cast<unsigned>(interrupt);
        case Interrupt::supervisor_external:
            return kSeipLine;
        case Interrupt::supervisor_timer:
        case Interrupt::machine_timer:
        case Interrupt::counter_overflow:
            break;
    }
    WEFT_ASSERT(!"timers and counters are no lines");
    return 0;
}

}  // namespace

void Hart::set_interrupt(Interrupt interrupt, bool level) {
    const uint64_t bit = device_bit(interrupt);
    if (!level) {
        state_->mip.fetch_and(~bit);
        return;
    }
    // The vCPU reads mip after it has seen the kick.
    if ((state_->mip.fetch_or(bit) & bit) == 0) {
        const StateHeader& header = state_header(state_);
        header.services->kick(header.vcpu);
    }
}

void Hart::set_mtimecmp(uint64_t ticks) {
    {
        MutexLock lock(timer_mutex_);
        state_->mtimecmp.store(ticks);
        program_deadline(*state_);
    }
    // For a value that has passed already, and for the vCPU to see that the timer is no longer due.
    const StateHeader& header = state_header(state_);
    header.services->kick(header.vcpu);
}

std::optional<uint16_t> Hart::next_fixed_entropy() {
    if (!fixed_entropy_) {
        return std::nullopt;
    }
    fixed_entropy_ = hash_words(*fixed_entropy_, hart_id_);
    return static_cast<uint16_t>(*fixed_entropy_ >> 48);
}

uint64_t Hart::mtimecmp() const { return state_->mtimecmp.load(); }

uint64_t Hart::clock_ticks() const {
    const StateHeader& header = state_header(state_);
    return header.services->now_ns(header.vcpu) / kNsPerTick;
}

uint64_t Hart::time() const { return clock_ticks() + state_->time_offset.load(); }

void Hart::set_time_offset(uint64_t ticks) {
    {
        MutexLock lock(timer_mutex_);
        state_->time_offset.store(ticks);
        program_deadline(*state_);
    }
    // Timers may have come due by it, and others may be due no more.
    const StateHeader& header = state_header(state_);
    header.services->kick(header.vcpu);
}

void Hart::visit_state(StateVisitor& visitor) {
    visitor.maybe("entropy", fixed_entropy_,
                  [&](uint64_t& generator) { visitor.number("generator", generator); });
}

void Hart::rearm_anew(State& state) {
    {
        MutexLock lock(timer_mutex_);
        deadline_ns_.store(UINT64_MAX, std::memory_order_relaxed);
        const StateHeader& header = state_header(&state);
        header.services->set_deadline(header.vcpu, UINT64_MAX);
    }
    rearm(state);
}

void Hart::rearm(State& state) {
    MutexLock lock(timer_mutex_);
    machine_timer_enabled_ = (state.mie & kIntMti) != 0;
    const bool supervisor_timer = (state.mie & kIntSti) != 0 && (state.menvcfg & kEnvcfgStce) != 0;
    supervisor_compare_ = supervisor_timer ? state.stimecmp : UINT64_MAX;
    overflow_ns_ = (state.mie & kIntLcofi) != 0 ? pmu_next_overflow_ns(state) : UINT64_MAX;
    program_deadline(state);
}

void Hart::reset_timers(State& state) {
    MutexLock lock(timer_mutex_);
    machine_timer_enabled_ = false;
    supervisor_compare_ = UINT64_MAX;
    overflow_ns_ = UINT64_MAX;
    state.mtimecmp.store(UINT64_MAX);
    program_deadline(state);
}

// A timer whose interrupt is disabled in mie wakes nobody, and one that is due already needs no deadline:
// those two rules keep an old deadline from hiding a later one.
void Hart::program_deadline(State& state) {
    const StateHeader& header = state_header(&state);
    const uint64_t machine_compare = machine_timer_enabled_ ? state.mtimecmp.load() : UINT64_MAX;
    uint64_t deadline = overflow_ns_;
    if (machine_compare != UINT64_MAX || supervisor_compare_ != UINT64_MAX) {
        const uint64_t now = header.services->now_ns(header.vcpu);
        const uint64_t time = time_at(state, now);
        for (const uint64_t compare : {machine_compare, supervisor_compare_}) {
            if (compare > time) {
                deadline = std::min(deadline, ns_after(now / kNsPerTick, compare - time));
            }
        }
    }
    if (deadline != deadline_ns_.load(std::memory_order_relaxed)) {
        deadline_ns_.store(deadline, std::memory_order_relaxed);
        header.services->set_deadline(header.vcpu, deadline);
    }
}

}  // namespace weft::riscv
