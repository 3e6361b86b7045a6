// One machine's accelerator: its vCPUs, the threads that run them, and the code cache they share.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/blocks/vcpu_list.h"
#include "accel/tcg/run/cpu_thread.h"
#include "accel/tcg/run/exclusive.h"
#include "accel/tcg/settings.h"
#include "accel/tcg/time/alarm.h"
#include "accel/tcg/time/clock.h"
#include "accel/tcg/time/insn_clock.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "base/error.h"
#include "base/mutex.h"
#include "weft/accel.h"

namespace weft::accel {

// Functions as AccelOps has them, with its rules on threads.
class Accelerator {
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

    void run_on(Vcpu& vcpu, VcpuWork kind, void (*fn)(void* opaque, void* state), void* opaque);
    void ram_written(uint64_t ram_offset, uint64_t size);
    void topology_changed(void (*done)(void* opaque), void* opaque);

    // Null with the host's clock. VirtualTimeOps are its functions, but for hold().
    InsnClock* insn_clock() const { return insn_clock_.get(); }
    void hold();
    // Something could not be done for want of memory, and nobody waits for an error: the machine is told to stop.
    void out_of_memory() const {
        config_.host->fatal(config_.host->opaque, "out of memory: the accelerator cannot go on");
    }

    // For reports.
    const Settings& settings() const { return settings_; }
    const TranslationCache& cache() const { return *cache_; }
    TranslationCache& cache() { return *cache_; }
    const VcpuList& vcpus() const { return vcpus_; }
    const VcpuCounters& departed() const { return departed_; }
    uint64_t now_ns() const { return insn_clock_ != nullptr ? insn_clock_->now_ns() : clock_.now_ns(); }
    const ExclusiveGate::Counts& exclusive() const { return gate_.counts(); }
    // Writes the counters, and a hash of the final state if there is one, to the file of stats=FILE. Error: it cannot be
    // written, or none was named.
    Result<> write_stats(std::optional<uint64_t> state_hash = {});

  private:
    struct TopologyChange;
    // A thread and, with thread=multi, its vCPU.
    using Threads = std::vector<std::unique_ptr<CpuThread>>;

    explicit Accelerator(const AccelConfig& config, const Settings& settings);

    Result<CpuThread*> thread_for(uint32_t index) WEFT_REQUIRES(control_);
    void pause_all() WEFT_REQUIRES(control_);
    void note_final_state(Vcpu& vcpu) WEFT_REQUIRES(control_);
    uint64_t final_state_hash() const WEFT_REQUIRES(control_);
    static void topology_round(TopologyChange* change, void (*item)(void* opaque, void* state));

    const AccelConfig config_;
    const Settings settings_;
    const Clock clock_;
    VcpuList vcpus_;  // who may read it: see there
    std::unique_ptr<TranslationCache> cache_;
    std::unique_ptr<InsnClock> insn_clock_;
    ExclusiveGate gate_;
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
    // Of the registers that each vCPU ended with, by its index; with the instruction clock.
    std::map<uint32_t, uint64_t> final_registers_ WEFT_GUARDED_BY(control_);
};

}  // namespace weft::accel
