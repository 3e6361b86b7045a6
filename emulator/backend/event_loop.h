// What a backend may ask of the loop that it is served by. The backends' side of the main loop: they know this interface alone
// (emulator/machine/main_loop.h implements it).
//
// emulator/backend is what lies behind devices: images, terminals, files. Devices know block_backend.h and char_backend.h alone;
// the program chooses and opens backends. They know no device and no machine.
#pragma once

#include <functional>
#include <memory>

#include "base/work_queue.h"

namespace weft::backend {

class EventLoop {
  public:
    virtual ~EventLoop() = default;

    // A descriptor that is watched for as long as this lives. Destroyed by the loop's thread, before the loop.
    class Watch {
      public:
        virtual ~Watch() = default;
    };
    // `gone`: the other end is, or will send no more; what it sent before may not have been read yet.
    enum class Ready { readable, writable, gone };
    // Calls a function while a descriptor is ready, on the loop's thread, until the watch is destroyed (also from within
    // the function). Also called where the descriptor's other end is gone or in error: reading or writing tells. The loop's
    // thread only.
    virtual std::unique_ptr<Watch> watch(int fd, Ready ready, std::function<void()> function) = 0;

    // Runs `work` on the loop's thread, in the order of the calls, without allocating; it is posted once until it runs. Any
    // thread.
    virtual void post(WorkQueue::Work& work) = 0;
    // Takes it out again. The loop's thread only.
    virtual void cancel(WorkQueue::Work& work) = 0;
};

}  // namespace weft::backend
