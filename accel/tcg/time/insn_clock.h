// The instruction clock (clock=insn): time is what vCPUs have executed, 2^shift nanoseconds an instruction, and what was passed
// over while all were halted. One thread runs all vCPUs, and whatever they can see happens at an instruction that depends
// on the guest alone: not on the host, and not on where translations begin and end.
//
// What one vCPU executes up to a *stop* is a segment. The next stop is the end of its turn, a deadline or a timer, whichever
// comes first. Generated code runs on its own as long as any unit fits before the stop: the budget is what is left less
// kMargin. Then the loop runs units one by one, and where the last one is too long it translates one that fits.
//
// What an instruction asks for (an interrupt, a deadline that comes earlier) moves the stop, but to no earlier place than
// kMargin instructions on: generated code gets to the loop by then, wherever its units end. Interrupts are looked at at a
// stop, after an exception, and after an instruction that says so (exit_tb), and nowhere else.
//
// An instruction that raises an exception counts as well, so that time goes on even if all do.
//
// A stop is a whole number of instructions away: one that lies between two of them is at the later one.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "accel/tcg/counters.h"
#include "accel/tcg/time/clock.h"
#include "accel/tcg/time/insn_rate.h"
#include "base/mutex.h"
#include "tcg/code/tb.h"
#include "tcg/exec_state.h"

namespace weft::accel {

// A vCPU as this clock sees it.
struct Executor {
    tcg::ExecState* exec = nullptr;
    Counter* insns = nullptr;  // executed so far
};

// Functions are for the vCPUs' thread, unless said otherwise.
class InsnClock {
  public:
    // No unit has more instructions.
    static constexpr uint64_t kMargin = 512;

    // How many instructions of its unit stand before the one that `host_pc`, as a return address, belongs to. `single_use`: as
    // for enter(). On the thread that runs the code.
    using InsnIndex = uint32_t (*)(void* context, uint64_t host_pc, const tcg::TranslationBlock* single_use);
    // `context` is for `index`.
    InsnClock(InsnIndex index, void* context, const InsnRate& rate)
        : index_(index), index_context_(context), rate_(rate) {}
    InsnClock(const InsnClock&) = delete;
    InsnClock& operator=(const InsnClock&) = delete;

    // `ask` has the vCPUs' thread look at the timers soon; any thread calls it. Before there are timers.
    void attach(void (*ask)(void* context), void* context) {
        ask_ = ask;
        ask_context_ = context;
    }
    // The caller is the vCPUs' thread, or is it no longer.
    void adopt_thread() { thread_.store(std::this_thread::get_id(), std::memory_order_seq_cst); }
    void leave_thread() { thread_.store({}, std::memory_order_seq_cst); }
    // Any thread.
    bool on_thread() const { return thread_.load(std::memory_order_seq_cst) == std::this_thread::get_id(); }

    // How long an instruction takes. Changes between segments alone.
    InsnRate& rate() { return rate_; }
    // What so many instructions take, in nanoseconds.
    uint64_t time_of(uint64_t insns) const { return insns << rate_.shift(); }

    // Nanoseconds. Any thread; on others than the vCPUs' as of the last time generated code was left.
    uint64_t now_ns() const;
    // Instructions of a vCPU so far.
    uint64_t insns(const Executor& vcpu) const;

    // ---- segments ----
    void start(uint64_t stop_ns) { stop_ = stop_at(stop_ns); }
    // In instructions.
    uint64_t left() const { return (stop_ - time_) >> rate_.shift(); }
    // From now on to the time `ns`, or kMargin instructions if that is more.
    void stop_by(uint64_t ns);
    void stop_soon() { stop_by(0); }

    // Around Backend::run. `one_unit`: it comes back after one. `single_use`: the TB that is used once and entered now, or null.
    void enter(const Executor& vcpu, bool one_unit, const tcg::TranslationBlock* single_use);
    void leave();
    // `vcpu` has executed `insns` that generated code did not count.
    void advance(const Executor& vcpu, uint64_t insns);
    // All vCPUs are halted until `ns`.
    void jump_to(uint64_t ns);
    // The time is another; a segment begins. While that thread is parked.
    void set_now_ns(uint64_t ns);

    // ---- timers: any thread ----
    void set_timer(uint64_t deadline_ns, void (*fn)(void* opaque), void* opaque) WEFT_EXCLUDES(mutex_);
    uint64_t next_timer_ns() const WEFT_EXCLUDES(mutex_);
    // Calls what is due, in the order of deadlines and, where these are equal, of set_timer(). The vCPUs' thread.
    void run_due_timers() WEFT_EXCLUDES(mutex_);

    // ---- hold: any thread ----
    bool held() const { return held_.load(std::memory_order_seq_cst); }
    void set_held(bool held) { held_.store(held, std::memory_order_seq_cst); }

  private:
    // Nanoseconds, so that budgets are far from overflowing; a spurious stop every 146 years.
    static constexpr uint64_t kLongest = uint64_t{1} << 62;

    struct Timer {
        uint64_t deadline_ns;
        void (*fn)(void* opaque);
        void* opaque;
    };

    uint64_t in_unit() const;
    uint64_t stop_at(uint64_t ns) const;

    const InsnIndex index_;
    void* const index_context_;
    std::atomic<std::thread::id> thread_{};  // written by the thread itself
    std::atomic<bool> held_{false};
    void (*ask_)(void* context) = nullptr;
    void* ask_context_ = nullptr;

    // The thread's own.
    InsnRate rate_;
    uint64_t time_ = 0;
    uint64_t stop_ = 0;    // `time_` and a whole number of instructions
    Executor running_;     // in generated code; else empty
    int64_t granted_ = 0;  // its budget less what it has executed since is what ExecState::insn_budget says
    const tcg::TranslationBlock* single_use_ = nullptr;
    // `time_` for other threads. Written by the vCPUs' thread; relaxed: nothing is ordered by it.
    std::atomic<uint64_t> published_{0};

    mutable Mutex mutex_;                                // a leaf
    std::vector<Timer> timers_ WEFT_GUARDED_BY(mutex_);  // by deadline; a machine has a handful
};

}  // namespace weft::accel
