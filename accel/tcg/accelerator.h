// One machine's accelerator: its vCPUs, the threads that run them, and the code cache they share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "accel/tcg/blocks/code_users.h"
#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/debug_points.h"
#include "accel/tcg/final_state.h"
#include "accel/tcg/observe/observers.h"
#include "accel/tcg/observe/report.h"
#include "accel/tcg/run/cpu_thread.h"
#include "accel/tcg/run/exclusive.h"
#include "accel/tcg/settings.h"
#include "accel/tcg/store/translation_store.h"
#include "accel/tcg/time/alarm.h"
#include "accel/tcg/time/clock.h"
#include "accel/tcg/time/insn_clock.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "base/error.h"
#include "base/mutex.h"
#include "weft/accel.h"

namespace weft::accel {

// Functions as AccelOps has them, with its rules on threads.
class Accelerator final : public ReportSource {
  public:
    static Result<std::unique_ptr<Accelerator>> create(const AccelConfig& config);
    ~Accelerator();
    Accelerator(const Accelerator&) = delete;
    Accelerator& operator=(const Accelerator&) = delete;

    Result<Vcpu*> create_vcpu(const VcpuConfig& config) WEFT_EXCLUDES(control_);
    void destroy_vcpu(Vcpu& vcpu) WEFT_EXCLUDES(control_);
    Result<> resume() WEFT_EXCLUDES(control_);
    void pause() WEFT_EXCLUDES(control_);
    void reset() WEFT_EXCLUDES(control_);

    // DebugOps.
    void set_debug_points(std::span<const DebugPoint> points) WEFT_EXCLUDES(control_);
    void set_debug_run(Vcpu& vcpu, DebugRun run) WEFT_EXCLUDES(control_);
    bool halted(const Vcpu& vcpu) WEFT_EXCLUDES(control_);

    // SaveOps.
    bool complete_state(Vcpu& vcpu) WEFT_EXCLUDES(control_);
    void state_replaced(Vcpu& vcpu, bool halted) WEFT_EXCLUDES(control_);
    // With the instruction clock.
    void set_now_ns(uint64_t ns) WEFT_EXCLUDES(control_);

    void run_on(Vcpu& vcpu, VcpuWork kind, void (*fn)(void* opaque, void* state), void* opaque) override;
    void ram_write_begins(RamWrite& write);
    void ram_written(RamWrite& write);
    void topology_changed(void (*done)(void* opaque), void* opaque);

    // Null with the host's clock. VirtualTimeOps are its functions, but for hold() and set_now_ns().
    InsnClock* insn_clock() const { return insn_clock_.get(); }
    void hold();
    // Something could not be done for want of memory, and nobody waits for an error: the machine is told to stop.
    void out_of_memory() const {
        config_.host->fatal(config_.host->opaque, "out of memory: the accelerator cannot go on");
    }

    // ReportSource
    const Settings& settings() const override { return settings_; }
    TranslationCache& cache() override { return *cache_; }
    const Profile* profile() const override { return observers_->profile(); }
    const CodeUsers& vcpus() const override { return vcpus_; }
    void add_others(VcpuCounters& sum) override;
    uint64_t now_ns() const override {
        return insn_clock_ != nullptr ? insn_clock_->now_ns() : clock_.now_ns();
    }
    const ExclusiveGate::Counts& exclusive() const override { return gate_.counts(); }
    Result<> write_stats(std::optional<uint64_t> state_hash = {}) override;

  private:
    // Each has a vCPU of its own, or all of them share all vCPUs.
    using Threads = std::vector<std::unique_ptr<CpuThread>>;

    explicit Accelerator(const AccelConfig& config, const Settings& settings);

    // Whether threads have more than one vCPU, and stay when those go.
    bool shares_threads() const { return max_threads_ < config_.max_vcpus; }
    Result<CpuThread*> thread_for(uint32_t index) WEFT_REQUIRES(control_);
    void resume_all() WEFT_REQUIRES(control_);
    // Where threads share vCPUs, and run now: has them run again at the end of a change, however it ends.
    class ResumeAfter;
    void pause_all() WEFT_REQUIRES(control_);
    bool on_vcpu_thread();
    // What is kept of a vCPU that goes.
    void depart(Vcpu& vcpu) noexcept WEFT_REQUIRES(control_);
    void leave_stats() noexcept WEFT_REQUIRES(control_);
    static CpuThread& thread_of(Vcpu& vcpu);

    const AccelConfig config_;
    const Settings settings_;
    const uint32_t max_threads_;
    const Clock clock_;
    DebugPoints debug_points_;
    CodeUsers vcpus_;  // who may read it: see there
    std::unique_ptr<TranslationCache> cache_;
    std::unique_ptr<Observers> observers_;
    std::unique_ptr<TranslationStore> store_;
    std::unique_ptr<InsnClock> insn_clock_;
    ExclusiveGate gate_;
    SharedVcpus shared_vcpus_;
    std::unique_ptr<TranslationWorkers> workers_;  // null: there are none
    TimerThread timer_;
    // Writes announced by other than guest instructions. Any thread; sequentially consistent (see ram_written()).
    std::atomic<uint64_t> ram_writes_{0};
    // What vCPUs counted that are gone. Written under control_, read by reports (relaxed).
    VcpuCounters departed_;

    // Outermost of all locks: control calls alone take it, and wait for vCPU threads with it.
    Mutex control_;
    Threads threads_ WEFT_GUARDED_BY(control_);
    std::vector<std::unique_ptr<Vcpu>> owned_ WEFT_GUARDED_BY(control_);
    bool running_ WEFT_GUARDED_BY(control_) = false;
    FinalState final_state_ WEFT_GUARDED_BY(control_);  // with the instruction clock and stats=FILE
};

}  // namespace weft::accel
