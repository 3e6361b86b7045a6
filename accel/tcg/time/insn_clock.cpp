#include "accel/tcg/time/insn_clock.h"

#include <algorithm>

#include "base/assert.h"

namespace weft::accel {

// Instructions that the running vCPU has completed since generated code was entered.
uint64_t InsnClock::in_unit() const {
    if (running_.exec == nullptr) {
        return 0;
    }
    const tcg::ExecState& exec = *running_.exec;
    const auto units = static_cast<uint64_t>(granted_ - exec.insn_budget);
    return exec.exit_host_pc == 0 ? units : units + index_(index_context_, exec.exit_host_pc, single_use_);
}

uint64_t InsnClock::now_ns() const {
    return on_thread() ? time_ + time_of(in_unit()) : published_.load(std::memory_order_relaxed);
}

uint64_t InsnClock::insns(const Executor& vcpu) const {
    return vcpu.insns->get() + (running_.exec == vcpu.exec ? in_unit() : 0);
}

// Where a segment from now on to `ns` ends.
uint64_t InsnClock::stop_at(uint64_t ns) const {
    const uint64_t step = time_of(1);
    return ns - time_ < kLongest ? time_ + (ns - time_ + step - 1) / step * step : time_ + kLongest;
}

void InsnClock::stop_by(uint64_t ns) {
    if (ns >= stop_) {
        return;
    }
    // Outside generated code every instruction has been counted, and the loop stops wherever it has to.
    const uint64_t earliest = running_.exec == nullptr ? time_ : time_ + time_of(in_unit() + kMargin);
    const uint64_t stop = stop_at(std::max(ns, earliest));
    if (stop >= stop_) {
        return;
    }
    if (running_.exec != nullptr) {
        // What is left is at least kMargin here, so the budget did not stand for a single unit.
        const auto less = static_cast<int64_t>((stop_ - stop) >> rate_.shift());
        granted_ -= less;
        running_.exec->insn_budget -= less;
    }
    stop_ = stop;
}

void InsnClock::enter(const Executor& vcpu, bool one_unit, const tcg::TranslationBlock* single_use) {
    WEFT_DEBUG_ASSERT(one_unit || left() >= kMargin);
    tcg::ExecState& exec = *vcpu.exec;
    granted_ = one_unit ? -1 : static_cast<int64_t>(left() - kMargin);
    exec.insn_budget = granted_;
    exec.exit_host_pc = 0;
    single_use_ = single_use;
    running_ = vcpu;
}

void InsnClock::leave() {
    const Executor vcpu = running_;
    const auto executed = static_cast<uint64_t>(granted_ - vcpu.exec->insn_budget);
    running_ = {};
    single_use_ = nullptr;
    advance(vcpu, executed);
}

void InsnClock::advance(const Executor& vcpu, uint64_t insns) {
    vcpu.insns->add(insns);
    time_ += time_of(insns);
    WEFT_DEBUG_ASSERT(time_ <= stop_);
    published_.store(time_, std::memory_order_relaxed);
}

void InsnClock::jump_to(uint64_t ns) {
    time_ = std::max(time_, ns);
    published_.store(time_, std::memory_order_relaxed);
}

void InsnClock::set_now_ns(uint64_t ns) {
    time_ = ns;
    stop_ = ns;
    rate_.time_was_set();
    published_.store(ns, std::memory_order_relaxed);
}

void InsnClock::set_timer(uint64_t deadline_ns, void (*fn)(void* opaque), void* opaque) {
    {
        MutexLock lock(mutex_);
        std::erase_if(timers_, [opaque](const Timer& timer) { return timer.opaque == opaque; });
        if (deadline_ns == kNever) {
            return;
        }
        const auto place = std::ranges::upper_bound(timers_, deadline_ns, {}, &Timer::deadline_ns);
        timers_.insert(place, Timer{deadline_ns, fn, opaque});
    }
    if (on_thread()) {
        stop_by(deadline_ns);
    } else if (ask_ != nullptr) {
        ask_(ask_context_);
    }
}

uint64_t InsnClock::next_timer_ns() const {
    MutexLock lock(mutex_);
    return timers_.empty() ? kNever : timers_.front().deadline_ns;
}

void InsnClock::run_due_timers() {
    while (true) {
        Timer due{};
        {
            MutexLock lock(mutex_);
            if (timers_.empty() || timers_.front().deadline_ns > time_) {
                return;
            }
            due = timers_.front();
            timers_.erase(timers_.begin());
        }
        due.fn(due.opaque);
    }
}

}  // namespace weft::accel
