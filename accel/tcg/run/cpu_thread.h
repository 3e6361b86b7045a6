// A host thread that runs vCPUs: one each with thread=multi, all of them in turn with thread=single.
//
// The thread is, at any time, in one of these states:
//   running    inside the exclusive gate, in the execution loop of one vCPU
//   busy       outside it, between those: working off work items, choosing the next vCPU
//   asleep     all its vCPUs are halted: waits for a wake-up or the earliest deadline
//   parked     the machine is paused: waits for a command, working off work items as they come
// It is an online reader of the epochs in the first two.
//
// A thread that wants something of this one first stores what it wants (a command, a work item, a pending interrupt, a
// request at the gate), then exit_request of the vCPU, then loads `waiting`, and wakes the thread if it is set. The thread
// stores `waiting` before it looks for reasons to go on, and clears exit_request before it looks for what is wanted. All
// of these are sequentially consistent, so that nothing is lost. (A halted vCPU's exit_request is cleared when the next
// vCPU is chosen: commands and work are looked for once more after that.)
//
// With the instruction clock, turns end and interrupts are looked at where the clock stops (see insn_clock.h). Other
// threads then set exit_request of the running vCPU alone, for it stands for an interrupt with the others; what they want
// between stops, but for interrupts from outside, changes nothing that the guest sees.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "accel/tcg/run/exclusive.h"
#include "accel/tcg/run/exec_loop.h"
#include "accel/tcg/time/alarm.h"
#include "accel/tcg/translate/translator.h"
#include "accel/tcg/vcpu/vcpu_thread.h"
#include "base/epoch.h"
#include "base/error.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace weft::accel {

class CpuThread final : public Attention, public VcpuThread {
  public:
    // Everything outlives it. No thread runs before start(). `insn_clock`: null with the host's clock.
    static Result<std::unique_ptr<CpuThread>> create(std::string name, TranslationCache& cache,
                                                     ExclusiveGate& gate, TimerThread& timer,
                                                     const Clock& clock, InsnClock* insn_clock);
    // Stopped.
    ~CpuThread();
    CpuThread(const CpuThread&) = delete;
    CpuThread& operator=(const CpuThread&) = delete;

    // ---- control calls: one at a time, none from a vCPU thread ----

    // The vCPUs it runs; only while not started or paused. Work of a removed vCPU is done by the caller.
    void add(Vcpu& vcpu) WEFT_EXCLUDES(mutex_);
    void remove(Vcpu& vcpu) WEFT_EXCLUDES(mutex_);

    // Paused at first. Once; does nothing to a thread that was started.
    Result<> start() WEFT_EXCLUDES(start_mutex_);
    void resume() { command(Command::run); }
    void pause() { command(Command::pause); }
    void wait_until_parked() WEFT_EXCLUDES(mutex_);
    // Ends the thread, which may not start again. Work that is left is done by the caller.
    void stop();

    // ---- any thread ----

    // Makes all its vCPUs return from generated code.
    void ask_all() WEFT_EXCLUDES(mutex_);
    // VcpuThread
    bool is_current() const override {
        return id_.load(std::memory_order_seq_cst) == std::this_thread::get_id();
    }
    void wake(Vcpu& vcpu) override;
    void deadline_set(uint64_t deadline_ns) override;
    void post(Vcpu& vcpu, WorkItem& item) override WEFT_EXCLUDES(start_mutex_);
    void post_copy(Vcpu& vcpu, const WorkItem& item) override WEFT_EXCLUDES(start_mutex_);
    // Has the vCPU that runs give way to the others. Any thread.
    void end_turn();

    // Has the thread of a reader of the epochs, if there is one and it is not `self`, come to a quiescent point: an
    // EpochDomain::QuiescenceRequest. `self` is a VcpuThread or null.
    static void request_quiescence(EpochDomain::Reader& lagging, void* self);

    bool wanted(Vcpu& vcpu) override;

  private:
    enum class Command : uint8_t { run, pause, stop };
    using Reader = EpochDomain::Reader;

    CpuThread(std::string name, TranslationCache& cache, ExclusiveGate& gate, TimerThread& timer,
              const Clock& clock, InsnClock* insn_clock, std::unique_ptr<Translator> translator);

    void command(Command command);
    void run();
    void run_or_fail(Reader& reader);
    void take_turns(Reader& reader);
    void take_turns_by_insns(Reader& reader);
    bool plan_segment();
    bool turn_goes_on();
    uint64_t next_stop() const;
    void ask_current();
    void ask_from_outside();
    void wake_sleeper();
    void run_vcpu(Vcpu& vcpu, Reader& reader);
    void make_room(const Vcpu& vcpu, Reader& reader);
    void do_work(Vcpu& vcpu, Reader& reader);
    void do_item(Vcpu& vcpu, const WorkItem& item, Reader& reader);
    bool do_at_once(Vcpu& vcpu, const WorkItem& item) WEFT_EXCLUDES(start_mutex_);
    void tell_of_work(Vcpu& vcpu);
    Vcpu* next_runnable();
    bool runnable(Vcpu& vcpu);
    bool others_wait(const Vcpu& vcpu) const;
    bool other_was_kicked(const Vcpu& vcpu) const;
    void sleep(Reader& reader) WEFT_EXCLUDES(mutex_);
    void sleep_without_time(Reader& reader) WEFT_EXCLUDES(mutex_);
    bool wants_nothing() const;
    bool on_the_way_to_hold() const;
    void park(Reader& reader) WEFT_EXCLUDES(mutex_);
    bool any_work() const;
    bool any_kicked() const;

    const std::string name_;
    TranslationCache& cache_;
    ExclusiveGate& gate_;
    const Clock& clock_;
    InsnClock* const insn_clock_;
    const std::unique_ptr<Translator> translator_;
    ExecLoop loop_;
    ExclusiveGate::Member member_;
    Alarm slice_;  // the end of a vCPU's turn, where others wait for theirs
    // Written by control calls, under `mutex_`, while the thread is parked; read by the thread, and by others under
    // `mutex_`.
    std::vector<Vcpu*> vcpus_;
    std::atomic<size_t> vcpu_count_{0};  // the same for readers without the mutex; relaxed
    size_t last_ = 0;                    // whose turn it was
    // How often in a row no space for code was found, and how much had been translated by then.
    unsigned full_in_a_row_ = 0;
    uint64_t translated_when_full_ = 0;
    // With the instruction clock: whose turn it is (null: a new one begins), and when it ends.
    Vcpu* turn_ = nullptr;
    uint64_t turn_end_ = 0;
    Thread thread_;
    Mutex start_mutex_;  // held while the thread is made, and while work is done in its place
    bool started_ WEFT_GUARDED_BY(start_mutex_) = false;

    std::atomic<std::thread::id> id_{};  // written by the thread itself, as it begins and ends

    // Written by control calls.
    std::atomic<Command> command_{Command::pause};
    // Another vCPU than the one that runs was kicked, or its turn is over. Written by any thread, taken by this one.
    std::atomic<bool> turn_over_{false};
    // With the instruction clock: an interrupt or a deadline came from another thread. Written by any thread, taken by this
    // one.
    std::atomic<bool> outside_{false};
    // Written by this thread.
    std::atomic<bool> waiting_{false};
    std::atomic<Vcpu*> current_{nullptr};

    Mutex mutex_;  // a leaf
    CondVar wake_;
    CondVar parked_changed_;
    bool parked_ WEFT_GUARDED_BY(mutex_) = false;
    uint64_t signals_ WEFT_GUARDED_BY(mutex_) = 0;
};

}  // namespace weft::accel
