// Threads that translate what vCPUs have queued (translate/translation_queue.h), beside them: a vCPU goes on interpreting code that it has
// met often enough for a translation, until a worker has made it, and makes it itself when it has waited for too long (vcpu/visits.h).
//
// A worker is, as a vCPU's thread, a member of the exclusive gate and a reader of the epochs while it translates, and neither while it
// waits. It takes a slot only inside the gate, leaves the gate after each translation if somebody asks for exclusivity, and does nothing
// outside of it but wait. What it cannot make (a unit over a page's end, one that finds no space, or whose bytes have changed) it lets
// go: the vCPU meets the same, and deals with it.
#pragma once

#include <memory>
#include <vector>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/counters.h"
#include "accel/tcg/run/exclusive.h"
#include "accel/tcg/translate/translation_queue.h"
#include "accel/tcg/translate/translator.h"
#include "base/epoch.h"
#include "base/error.h"
#include "base/thread.h"

namespace weft::accel {

class TranslationWorkers {
  public:
    // `threads`: at least 1; none runs before start(). All that is referred to outlives it.
    static Result<std::unique_ptr<TranslationWorkers>> create(TranslationCache& cache,
                                                              TranslationStore* store, ExclusiveGate& gate,
                                                              unsigned threads);
    ~TranslationWorkers();
    TranslationWorkers(const TranslationWorkers&) = delete;
    TranslationWorkers& operator=(const TranslationWorkers&) = delete;

    // Once; does nothing where they were started.
    Result<> start();
    // Ends the threads. No vCPU runs any more.
    void stop();

    // Has the unit at the vCPU's pc, in `page`, made. False: its vCPU makes it. On the vCPU's thread, inside the gate.
    bool offer(Vcpu& vcpu, const FetchPage& page) { return queue_.offer(vcpu, page); }

    // Adds what they have counted. Any thread.
    void add_counters(VcpuCounters& sum) const;

  private:
    class Worker;

    TranslationWorkers(TranslationCache& cache, ExclusiveGate& gate, bool stored);

    TranslationCache& cache_;
    ExclusiveGate& gate_;
    TranslationQueue queue_;
    std::vector<std::unique_ptr<Worker>> workers_;  // all made by create()
};

}  // namespace weft::accel
