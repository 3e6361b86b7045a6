// vCPUs that wait for their turn, for threads that have nothing to run.
//
// Where there are more vCPUs than host processors, as many threads as processors run them, each its own in turn (see
// Turns). A guest's vCPUs wait for each other: for a lock, or until another has flushed its TLB. Between vCPUs of one thread
// such a wait costs a change of turns, a fraction of a microsecond; between threads that share a processor, the host's
// scheduler would have to find out who is waited for, and the spin locks of kernels, which are handed on in order of arrival,
// then take a hundred times as long. A thread whose own vCPUs are all halted, or which runs one that does nothing but
// pause, takes one from a thread where more than one wants to run.
//
// While a thread runs a vCPU its queue *offers* the others that are not halted. They may be taken, under the queue's mutex;
// at any other time the queue's vCPUs are touched by its thread alone. A kick finds the thread of a vCPU by
// Vcpu::thread(): it stores its reason and the exit request, then loads that. Who took a vCPU stores it, then looks for
// reasons. One sees the other, so that a kick that went to the thread before is not lost (tests/models/move.pml).
//
// No thread sleeps beside an offer: who offers counts it, then looks for idle queues; who is about to sleep marks its queue
// idle, then looks for offers.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/mutex.h"

namespace weft {
struct Vcpu;
}

namespace weft::accel {

class RunQueue;

// One an accelerator. Functions may be called by any thread, but where said otherwise.
class SharedVcpus {
  public:
    SharedVcpus() = default;
    SharedVcpus(const SharedVcpus&) = delete;
    SharedVcpus& operator=(const SharedVcpus&) = delete;

    // A queue takes part. Control calls, while its thread does not run.
    void join(RunQueue& queue) WEFT_EXCLUDES(mutex_);
    void leave(RunQueue& queue) WEFT_EXCLUDES(mutex_);

    // A queue begins and ceases to offer vCPUs. With its mutex held.
    void offer_begins() { offers_.fetch_add(1, std::memory_order_seq_cst); }
    void offer_ends() { offers_.fetch_sub(1, std::memory_order_seq_cst); }
    // Whether there are offers.
    bool any_offer() const { return offers_.load(std::memory_order_seq_cst) != 0; }
    // After an offer began: wakes a thread that is idle, if one is. No queue's mutex is held.
    void wake_idle() WEFT_EXCLUDES(mutex_);
    // A vCPU out of another queue than `self`, or null. It is in none now: RunQueue::adopt().
    Vcpu* take(const RunQueue& self) WEFT_EXCLUDES(mutex_);

    // The thread of the queue has nothing to run, and is about to sleep or sleeps; or that is over.
    void set_idle(RunQueue& queue, bool idle);

  private:
    std::atomic<uint32_t> offers_{0};
    std::atomic<uint32_t> idle_{0};  // how many queues are marked
    // Above the mutexes of queues.
    Mutex mutex_;
    std::vector<RunQueue*> queues_ WEFT_GUARDED_BY(mutex_);
};

}  // namespace weft::accel
