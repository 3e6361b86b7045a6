// A host thread that runs vCPUs: one each with thread=multi where there are processors enough, all of them in turn with
// thread=single, and several that may go to other threads with thread=multi where there are more vCPUs than processors.
//
// The thread is, at any time, in one of these states:
//   running    inside the exclusive gate, in the execution loop of one vCPU
//   busy       outside it, between those: working off work items, choosing the next vCPU
//   asleep     all its vCPUs are halted: waits for a wake-up or the earliest deadline
//   parked     the machine is paused: waits for a command, working off work items as they come
// It is an online reader of the epochs in the first two. How others make it look at what they want is told in run_queue.h.
//
// The room run/ owns the threads of vCPUs, what they do next, and exclusive sections. It uses everything below; observe/
// reads it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "accel/tcg/run/exclusive.h"
#include "accel/tcg/run/exec_loop.h"
#include "accel/tcg/run/room_maker.h"
#include "accel/tcg/run/run_queue.h"
#include "accel/tcg/run/scheduler.h"
#include "accel/tcg/time/alarm.h"
#include "accel/tcg/translate/translators.h"
#include "accel/tcg/vcpu/vcpu_thread.h"
#include "base/epoch.h"
#include "base/error.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace weft::accel {

// What a thread is made of; all that is referred to outlives it.
struct CpuThreadParts {
    std::string name;
    TranslationCache& cache;
    TranslationStore* store;      // null: there is none
    TranslationWorkers* workers;  // null: there are none
    ExclusiveGate& gate;
    TimerThread& timer;
    const Clock& clock;
    InsnClock* insn_clock = nullptr;  // null with the host's clock
    size_t capacity = 1;              // vCPUs at most
    SharedVcpus* shared = nullptr;    // null: it keeps its vCPUs
};

class CpuThread final : public VcpuThread {
  public:
    // No thread runs before start().
    static Result<std::unique_ptr<CpuThread>> create(const CpuThreadParts& parts);
    // Stopped.
    ~CpuThread();
    CpuThread(const CpuThread&) = delete;
    CpuThread& operator=(const CpuThread&) = delete;

    // ---- control calls: one at a time, none from a vCPU thread ----

    // The vCPUs it runs; only while not started or paused. Work of a removed vCPU is done by the caller.
    void add(Vcpu& vcpu) { queue_.add(vcpu); }
    void remove(Vcpu& vcpu);

    // Paused at first. Once; does nothing to a thread that was started.
    Result<> start() WEFT_EXCLUDES(start_mutex_);
    void resume() { command(RunQueue::Command::run); }
    void pause() { command(RunQueue::Command::pause); }
    void wait_until_parked() { queue_.wait_until_parked(); }
    // How many it runs. While it is parked or not started.
    size_t vcpu_count() const { return queue_.vcpus().size(); }
    // Ends the thread, which may not start again. Work that is left is done by the caller.
    void stop();

    // ---- any thread ----

    // VcpuThread
    bool keeps_vcpus() const override { return keeps_vcpus_; }
    bool is_current() const override {
        return id_.load(std::memory_order_seq_cst) == std::this_thread::get_id();
    }
    void wake(Vcpu& vcpu) override { scheduler_->wake(vcpu); }
    void deadline_set(uint64_t deadline_ns) override { scheduler_->deadline_set(deadline_ns); }
    void post(Vcpu& vcpu, WorkItem& item) override WEFT_EXCLUDES(start_mutex_);
    void post_copy(Vcpu& vcpu, const WorkItem& item) override WEFT_EXCLUDES(start_mutex_);
    tcg::Onward go_on(Vcpu& vcpu, tcg::ExitKind kind) override { return loop_.go_on(vcpu, kind); }

    // Has the thread of a reader of the epochs, if there is one and it is not `self`, come to a quiescent point: an
    // EpochDomain::QuiescenceRequest. `self` is a VcpuThread or null.
    static void request_quiescence(EpochDomain::Reader& lagging, void* self);

  private:
    using Reader = EpochDomain::Reader;

    CpuThread(const CpuThreadParts& parts, std::unique_ptr<Translator> translator);

    void command(RunQueue::Command command);
    void run();
    void run_or_fail(Reader& reader);
    void run_turn(Vcpu& first, Reader& reader);
    void do_work(Vcpu& vcpu, Reader& reader);
    void do_item(Vcpu& vcpu, const WorkItem& item, Reader& reader);
    bool do_at_once(Vcpu& vcpu, const WorkItem& item) WEFT_EXCLUDES(start_mutex_);
    void park(Reader& reader);

    const std::string name_;
    const bool keeps_vcpus_;
    TranslationCache& cache_;
    ExclusiveGate& gate_;
    OwnTranslator translator_;
    RunQueue queue_;
    const std::unique_ptr<Scheduler> scheduler_;
    ExecLoop loop_;
    RoomMaker room_maker_;
    ExclusiveGate::Member member_;
    Thread thread_;
    Mutex start_mutex_;  // held while the thread is made, and while work is done in its place
    bool started_ WEFT_GUARDED_BY(start_mutex_) = false;
    std::atomic<std::thread::id> id_{};  // written by the thread itself, as it begins and ends
};

}  // namespace weft::accel
