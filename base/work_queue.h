// Handing work to the thread of a main loop.
#pragma once

#include <cstddef>
#include <memory>

#include "base/error.h"
#include "base/event_fd.h"
#include "base/host_calls.h"
#include "base/mutex.h"

namespace weft {

// A first-in, first-out queue of callbacks with a descriptor to wait for: any thread posts, the owner drains
// when the descriptor is readable.
class WorkQueue {
  public:
    using Function = void (*)(void* context);

    // A callback that posts without allocating: a member of whatever it works for, which keeps it until it
    // has run or was cancelled.
    class Work {
      public:
        Work(Function function, void* context) : function_(function), context_(context) {}
        Work(const Work&) = delete;
        Work& operator=(const Work&) = delete;

      private:
        friend class WorkQueue;
        Work(Function function, void* context, bool owned)
            : function_(function), context_(context), owned_(owned) {}

        const Function function_;
        void* const context_;
        const bool owned_ = false;  // by the queue
        // Guarded by the mutex of the queue it is posted to.
        Work* next_ = nullptr;
        bool queued_ = false;
    };

    static Result<std::unique_ptr<WorkQueue>> create(const HostCalls& calls = HostCalls::real());

    // What is still queued does not run. No other thread uses the queue any more.
    ~WorkQueue();
    WorkQueue(const WorkQueue&) = delete;
    WorkQueue& operator=(const WorkQueue&) = delete;

    // Readable while there is work.
    int fd() const { return event_.fd(); }

    // Queues function(context); allocates. Any thread, also from within a callback.
    void post(Function function, void* context);

    // Queues `work` unless it is queued already; returns whether it did. It counts as queued until just
    // before it runs, so that a post is never lost: it is followed by a run that sees what was written before
    // it.
    bool post(Work& work);

    // Takes `work` out again; false where it is not queued: it never was, has run, or is about to run or
    // running on the owner's thread. On the owner's thread it is certain afterwards that it does not run.
    bool cancel(Work& work);

    // Runs what was queued when it was called, in order, without holding a lock, and returns how many ran.
    // What callbacks post runs in the next drain(), for which the descriptor is readable again. The owner's
    // thread only; not from within a callback.
    std::size_t drain();

  private:
    explicit WorkQueue(EventFd event) : event_(std::move(event)) {}

    bool enqueue(Work& work);

    const EventFd event_;
    Mutex mutex_;
    Work* first_ WEFT_GUARDED_BY(mutex_) = nullptr;
    Work* last_ WEFT_GUARDED_BY(mutex_) = nullptr;
    // The last work that the running drain() will run; null outside it, or when that was cancelled and none
    // is left.
    Work* drain_end_ WEFT_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace weft
