// The machine's main loop: GLib's, with a context of its own, on the thread that made it.
//
// Only that thread touches GLib. Others hand over through post() and set_timer(): weft's own queues, whose descriptors the
// loop waits for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/error.h"
#include "base/work_queue.h"
#include "emulator/backend/event_loop.h"
#include "emulator/machine/timer_queue.h"

namespace weft::machine {

class MainLoop final : public backend::EventLoop {
  public:
    static Result<std::unique_ptr<MainLoop>> create();
    ~MainLoop() override;
    MainLoop(const MainLoop&) = delete;
    MainLoop& operator=(const MainLoop&) = delete;

    // EventLoop
    std::unique_ptr<Watch> watch(int fd, Ready ready, std::function<void()> function) override;
    void post(WorkQueue::Work& work) override { work_->post(work); }
    void cancel(WorkQueue::Work& work) override { work_->cancel(work); }

    // Runs fn(opaque) on the loop's thread, in the order of the calls. Any thread.
    void post(void (*fn)(void* opaque), void* opaque) { work_->post(fn, opaque); }

    // As hw::MachineControl::set_timer. Any thread.
    void set_timer(uint64_t deadline_ns, void (*fn)(void* opaque), void* opaque) {
        timers_->set(deadline_ns, fn, opaque);
    }

    // Device timers wait while they are held. The loop's thread only.
    void hold_timers(bool held) { timers_->hold(held); }

    // Serves sources until quit(). What was posted before a quit() in the same batch runs.
    void run();
    // The loop's thread only.
    void quit() { quit_ = true; }
    // Whether run() ended because a source ran out of memory. (No exception may pass GLib's frames.)
    bool out_of_memory() const { return out_of_memory_; }

  private:
    struct Context;
    struct Source;
    class SourceWatch;
    MainLoop(std::unique_ptr<WorkQueue> work, std::unique_ptr<TimerQueue> timers);

    const std::unique_ptr<WorkQueue> work_;
    const std::unique_ptr<TimerQueue> timers_;
    const std::unique_ptr<Context> context_;
    std::unique_ptr<Watch> work_watch_;
    std::unique_ptr<Watch> timer_watch_;
    bool quit_ = false;
    bool out_of_memory_ = false;
};

}  // namespace weft::machine
