// One process's accelerator: the vCPUs that its threads attach, and the code cache they share. Accelerator is a machine's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "accel/tcg/blocks/code_users.h"
#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/observe/observers.h"
#include "accel/tcg/observe/report.h"
#include "accel/tcg/run/attached_thread.h"
#include "accel/tcg/run/exclusive.h"
#include "accel/tcg/settings.h"
#include "accel/tcg/store/translation_store.h"
#include "accel/tcg/time/alarm.h"
#include "accel/tcg/time/clock.h"
#include "accel/tcg/translate/translators.h"
#include "base/error.h"
#include "base/mutex.h"
#include "weft/accel.h"

namespace weft::accel {

// Functions as ProcessOps has them, with its rules on threads and locks.
class ProcessAccelerator final : public ReportSource {
  public:
    // Errors: properties that are a machine's, a guest without process mode, bounds by a limit that is no power of two.
    static Result<std::unique_ptr<ProcessAccelerator>> create(const AccelConfig& config);
    // No vCPU is attached.
    ~ProcessAccelerator();
    ProcessAccelerator(const ProcessAccelerator&) = delete;
    ProcessAccelerator& operator=(const ProcessAccelerator&) = delete;

    Result<Vcpu*> attach(void* guest) WEFT_EXCLUDES(mutex_);
    void detach(Vcpu& vcpu) WEFT_EXCLUDES(mutex_);
    static AttachedThread& thread_of(Vcpu& vcpu) { return static_cast<AttachedThread&>(vcpu.thread()); }

    void code_gone(uint64_t start, uint64_t end);
    void code_settle();
    void code_written(uint64_t start, uint64_t end);
    void code_sync(uint64_t start, uint64_t end, bool all) WEFT_EXCLUDES(mutex_);

    void fork_begin() { gate_.begin(nullptr); }
    void fork_prepare();
    void fork_parent();
    Result<> fork_child(Vcpu& survivor);

    void keep_translations();
    uint32_t descriptors(std::span<int> fds) const;
    bool make_way(int fd) { return store_ == nullptr || store_->make_way(fd); }

    // Something could not be done for want of memory, and nobody waits for an error.
    void out_of_memory() const {
        config_.host->fatal(config_.host->opaque, "out of memory: the accelerator cannot go on");
    }

    // ReportSource
    const Settings& settings() const override { return settings_; }
    TranslationCache& cache() override { return *cache_; }
    const Profile* profile() const override { return observers_->profile(); }
    const CodeUsers& vcpus() const override { return vcpus_; }
    void add_others(VcpuCounters& sum) override { sum.add(departed_); }
    uint64_t now_ns() const override { return clock_.now_ns(); }
    const ExclusiveGate::Counts& exclusive() const override { return gate_.counts(); }
    // In an exclusive section: no thread runs guest code meanwhile.
    void run_on(Vcpu& vcpu, VcpuWork kind, void (*fn)(void* opaque, void* state), void* opaque) override;
    Result<> write_stats(std::optional<uint64_t> state_hash = {}) override;

  private:
    ProcessAccelerator(const AccelConfig& config, const Settings& settings);
    VcpuArrays take_arrays(uint32_t index);

    const AccelConfig config_;
    const Settings settings_;
    const Clock clock_;
    CodeUsers vcpus_;
    SpareArrays spare_;  // given by vCPUs when they are freed, before the cache goes
    std::unique_ptr<TranslationCache> cache_;
    std::unique_ptr<Observers> observers_;
    std::unique_ptr<TranslationStore> store_;
    std::unique_ptr<TranslatorPool> translators_;
    ExclusiveGate gate_;
    // Never started: no vCPU has a deadline. Its mutex is taken where vCPUs are freed, which threads do outside of everything.
    TimerThread timer_;
    // The latest grace period that begins behind what code_gone() ended: when it is over, no thread is inside any of that. 0 where it
    // never ended anything. Raised by code_gone(), read by code_settle(); sequentially consistent.
    std::atomic<uint64_t> gone_period_{0};
    // What vCPUs counted that are gone. Written under mutex_, read by reports (relaxed).
    VcpuCounters departed_;

    // Above those of the gate, the epochs, and pages. Held over fork(2), as everything that other threads do outside the gate is
    // done under it, or under the emulator's lock of its map, or needs no lock but the gate's, the epochs' and the timer's.
    Mutex mutex_;
    std::vector<uint32_t> free_ WEFT_GUARDED_BY(mutex_);  // indices of vCPUs that are gone
    uint32_t next_ WEFT_GUARDED_BY(mutex_) = 0;           // the first index that no vCPU ever had
};

}  // namespace weft::accel
