// The vCPUs that one host thread runs, what the thread was told to do, and where it waits while there is nothing to run.
//
// A thread that wants something of this one first stores what it wants (a command, a work item, a pending interrupt, a
// request at the gate), then exit_request of the vCPU, then loads `waiting_`, and wakes the thread if it is set. The thread
// stores `waiting_` before it looks for reasons to go on, and clears exit_request before it looks for what is wanted. All
// of these are sequentially consistent, so that nothing is lost. (A halted vCPU's exit_request is cleared when the next
// vCPU is chosen: commands and work are looked for once more after that.)
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "accel/tcg/run/shared_vcpus.h"
#include "accel/tcg/time/clock.h"
#include "base/epoch.h"
#include "base/mutex.h"

namespace weft {
struct Vcpu;
}

namespace weft::accel {

class VcpuThread;

class RunQueue {
  public:
    enum class Command : uint8_t { run, pause, stop };

    // `owner`: the thread. `capacity`: vCPUs at most. `shared`: threads may take each other's vCPUs; null: what is in the
    // queue stays there. All of it outlives the queue.
    RunQueue(VcpuThread& owner, size_t capacity, SharedVcpus* shared);
    ~RunQueue();
    RunQueue(const RunQueue&) = delete;
    RunQueue& operator=(const RunQueue&) = delete;

    // ---- control calls: one at a time, none from a vCPU thread ----

    // The vCPUs; only while no thread runs them, or while it is paused.
    void add(Vcpu& vcpu) WEFT_EXCLUDES(mutex_);
    void remove(Vcpu& vcpu) WEFT_EXCLUDES(mutex_);
    // A thread runs them from now on, or no longer.
    void set_threaded(bool threaded) WEFT_EXCLUDES(mutex_);
    void wait_until_parked() WEFT_EXCLUDES(mutex_);
    // Before the thread is asked to look at it (Scheduler::ask_all) and woken.
    void set_command(Command command) { command_.store(command, std::memory_order_seq_cst); }
    void wake_always() WEFT_EXCLUDES(mutex_);

    // ---- any thread ----

    Command command() const { return command_.load(std::memory_order_seq_cst); }
    // The vCPU that runs, or null.
    Vcpu* current() const { return current_.load(std::memory_order_seq_cst); }
    // Whether there are several vCPUs. A hint.
    bool shared() const { return count_.load(std::memory_order_seq_cst) > 1; }
    // Makes the vCPU that runs, or all of them, return from generated code.
    void ask_current();
    void ask_each() WEFT_EXCLUDES(mutex_);
    // Wakes the thread where it waits, or is about to.
    void wake_sleeper() WEFT_EXCLUDES(mutex_);

    // ---- SharedVcpus ----

    // A vCPU that the queue offers, taken out of it; or null.
    Vcpu* give() WEFT_EXCLUDES(mutex_);
    // Whether the thread has nothing to run and sleeps, or will; gives what it was before.
    bool mark_idle(bool idle) { return idle_.exchange(idle, std::memory_order_seq_cst); }

    // ---- the thread ----

    // Not during a turn, where threads share vCPUs.
    std::span<Vcpu* const> vcpus() const { return vcpus_; }
    // A turn of `vcpu`: until it ends others may be taken out of the queue (see SharedVcpus). Whether there are others that
    // wait for theirs.
    bool turn_begins(Vcpu& vcpu) WEFT_EXCLUDES(mutex_);
    void turn_ends() WEFT_EXCLUDES(mutex_);
    // During it: has the next of the others run in the place of `vcpu`, and gives it; null, and nothing is changed, where
    // none of them waits.
    Vcpu* pass_turn(const Vcpu& vcpu) WEFT_EXCLUDES(mutex_);
    // During it: whether there is something to be done that may have been looked for before it was known who runs: a
    // command, work, a halted vCPU that was kicked.
    bool wanted_meanwhile() WEFT_EXCLUDES(mutex_);
    // The same for a queue whose vCPUs nobody takes.
    void set_current(Vcpu* vcpu) { current_.store(vcpu, std::memory_order_seq_cst); }
    // A vCPU out of another queue becomes this one's. Between turns; allocates nothing.
    void adopt(Vcpu& vcpu) WEFT_EXCLUDES(mutex_);
    // The next in turn that is not halted, or has work; null: none. Takes the exit requests of halted ones. `again`: first
    // the one whose turn it was last.
    Vcpu* next_runnable(bool again = false);
    // One that was kicked and is not halted or has work, out of turn; null: none.
    Vcpu* next_kicked();
    // Whether others than `vcpu` are not halted.
    bool others_wait(const Vcpu& vcpu) const;
    // Whether another one, which is halted, was kicked.
    bool other_was_kicked(const Vcpu& vcpu) const;
    bool any_kicked() const;
    bool any_work() const;

    // Waits, offline, until look() gives nothing. Before that it gives when to ask it again, in the time of `clock`; kNever:
    // when another thread has woken this one. `look` may not wake anybody.
    template <class Look>
    void sleep(EpochDomain::Reader& reader, const Clock& clock, Look&& look) WEFT_EXCLUDES(mutex_) {
        const EpochDomain::Offline offline(reader);
        waiting_.store(true, std::memory_order_seq_cst);
        {
            MutexLock lock(mutex_);
            while (true) {
                const uint64_t seen = signals_;
                const std::optional<uint64_t> again = look();
                if (!again) {
                    break;
                }
                wait_for_signal(seen, *again, clock);
            }
        }
        waiting_.store(false, std::memory_order_seq_cst);
    }
    // Waits, offline, while stay() says so. Others see that it does, and may change the queue meanwhile.
    template <class Stay>
    void park(EpochDomain::Reader& reader, Stay&& stay) WEFT_EXCLUDES(mutex_) {
        const EpochDomain::Offline offline(reader);
        waiting_.store(true, std::memory_order_seq_cst);
        {
            MutexLock lock(mutex_);
            parked_ = true;
            parked_changed_.notify_all();
            while (stay()) {
                wake_.wait(mutex_);
            }
            parked_ = false;
        }
        waiting_.store(false, std::memory_order_seq_cst);
    }

  private:
    size_t next_waiting(const Vcpu& vcpu) const;
    void wait_for_signal(uint64_t seen, uint64_t until, const Clock& clock) WEFT_REQUIRES(mutex_);

    VcpuThread& owner_;
    SharedVcpus* const shared_;
    // Written under `mutex_`: by control calls while the thread is parked, by the thread between turns, by other threads
    // during a turn. Read by the thread between turns, and by others under `mutex_`.
    std::vector<Vcpu*> vcpus_;
    std::atomic<size_t> count_{0};  // of vcpus_, for readers without the mutex; seq_cst
    size_t last_ = 0;               // whose turn it was last; with `vcpus_`

    std::atomic<Command> command_{Command::pause};  // written by control calls
    // Written by the thread.
    std::atomic<bool> waiting_{false};
    std::atomic<Vcpu*> current_{nullptr};
    std::atomic<bool> idle_{false};  // by the thread, and by who wakes it for an offer

    Mutex mutex_;  // a leaf
    CondVar wake_;
    CondVar parked_changed_;
    bool threaded_ WEFT_GUARDED_BY(mutex_) = false;
    bool parked_ WEFT_GUARDED_BY(mutex_) = false;
    bool offers_ WEFT_GUARDED_BY(mutex_) = false;  // counted in SharedVcpus
    uint64_t signals_ WEFT_GUARDED_BY(mutex_) = 0;
};

}  // namespace weft::accel
