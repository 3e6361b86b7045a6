// Who runs and who is stopped, with a debugger: guest threads on one side, the debugger's thread on the other.
//
// All stop together. The first event (a breakpoint, a signal, a step that is done, an interrupt) makes everybody stop; the debugger is told
// of it once everybody has. A thread is
//   running   in the vCPU, or on its way there or back;
//   calling   in a system call, which may last. It counts as stopped, as it touches nothing of its registers before it asked;
//   stopped   waits here to be let go.
// What the debugger sees of a thread's registers is the copy that the thread left here when it stopped or began its call; what it
// changes there the thread takes over before it goes on. A call whose registers were changed is left (ask_to_leave_call), and its result,
// if it had one by then, is kept for when the debugger puts the call's own registers back.
//
// An event of a thread behind the first one is no event: the thread stops where it is, has changed nothing, and meets it again.
//
// The process's end is told when what the others stop for has been, and no one runs meanwhile; where nobody is left to stop, it is told
// instead.
//
// Lock: mutex_, of all that is here. A leaf, but for the lock of the breakpoints' table; fork(2) is made with it held.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "emulator/control/gdb/target.h"
#include "emulator/linux-user/riscv/frame.h"
#include "emulator/linux-user/signal/siginfo.h"
#include "emulator/linux-user/thread.h"

namespace weft::user {

class StopControl {
  public:
    class Member;
    using Stop = control::gdb::Stop;
    using Action = control::gdb::ThreadAction;

    // Everything is stopped at first. `wake`: the debugger's thread has something to look at (take_stop); called with mutex_ held, it
    // may take locks of its own, under which nothing here is called.
    explicit StopControl(std::function<void()> wake) : wake_(std::move(wake)) {}
    StopControl(const StopControl&) = delete;
    StopControl& operator=(const StopControl&) = delete;

    // ---- the debugger's thread

    // What is to be told now, once: everybody has stopped, at first or since the last resume, or the process is about to end.
    std::optional<Stop> take_stop() WEFT_EXCLUDES(mutex_);
    // The end has been told, so that it may happen.
    void end_told() WEFT_EXCLUDES(mutex_);
    // Of the threads that threads() has listed, those that no action names stay stopped. Others were made since, and run.
    void resume(std::span<const Action> actions) WEFT_EXCLUDES(mutex_);
    void interrupt() WEFT_EXCLUDES(mutex_);
    // Lets everybody go, for good. `last` runs with mutex_ held, before anybody does.
    void detach(const std::function<void()>& last) WEFT_EXCLUDES(mutex_);
    bool attached() WEFT_EXCLUDES(mutex_);
    // Signals, as a mask, that are no events.
    void pass_signals(uint64_t mask) WEFT_EXCLUDES(mutex_);
    // Runs `body` where no fork comes between.
    void undivided(const std::function<void()>& body) WEFT_EXCLUDES(mutex_);

    std::vector<uint64_t> threads() WEFT_EXCLUDES(mutex_);  // ascending
    // Nothing: there is no such thread.
    std::optional<FrameRegisters> registers(uint64_t thread) WEFT_EXCLUDES(mutex_);
    bool set_registers(uint64_t thread, const FrameRegisters& registers) WEFT_EXCLUDES(mutex_);
    // Of the signal that the thread stopped with.
    std::optional<Siginfo> siginfo(uint64_t thread) WEFT_EXCLUDES(mutex_);

    // ---- threads of the guest

    // The process is about to end; comes back when that has been told. `running`: the calling thread, which has a Member and is not
    // stopped; null: it has none any more.
    void end(const Stop& stop, const Thread* running) WEFT_EXCLUDES(mutex_);

    // Around fork(2). In the child there is `survivor` alone, and no debugger.
    void fork_prepare() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
    void fork_parent() WEFT_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }
    void fork_child(const Thread& survivor) WEFT_NO_THREAD_SAFETY_ANALYSIS;

  private:
    enum class State : uint8_t { running, calling, stopped };

    void stop_all(const Stop& stop) WEFT_REQUIRES(mutex_);
    void look_quiet() WEFT_REQUIRES(mutex_);
    bool is_quiet() const WEFT_REQUIRES(mutex_);
    Member* find(uint64_t thread) WEFT_REQUIRES(mutex_);

    const std::function<void()> wake_;
    Mutex mutex_;
    CondVar changed_;  // for threads: somebody may go on, or the end was told
    std::vector<Member*> members_ WEFT_GUARDED_BY(mutex_);
    bool attached_ WEFT_GUARDED_BY(mutex_) = true;
    bool stopping_ WEFT_GUARDED_BY(mutex_) = true;  // everybody is stopped, or shall be
    bool ending_ WEFT_GUARDED_BY(mutex_) = false;   // `event_` is the process's end
    bool end_told_ WEFT_GUARDED_BY(mutex_) = false;
    // Not told yet. At first: that of the start.
    std::optional<Stop> event_ WEFT_GUARDED_BY(mutex_) = Stop{};
    uint64_t passed_ WEFT_GUARDED_BY(mutex_) = 0;
};

// A guest thread's part, which it makes, uses and ends by itself. What others read and write of it is under StopControl::mutex_.
class StopControl::Member {
  public:
    // It counts as stopped until wait(), where it stops before its first instruction, if everybody is stopped.
    Member(StopControl& owner, Thread& thread);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    // How to go on.
    struct Go {
        bool step = false;  // one instruction, then stepped()
        int signal = 0;     // gdb's number, of what was given by resume(), once
    };
    // Waits until the thread may run.
    Go wait();
    // False: the call must not begin, as everybody stops: wait().
    bool call_begins();
    struct CallGo {
        bool registers_set = false;  // the debugger has set other registers meanwhile, which are there now
        bool step = false;           // as Go's: of the last resume(), which may have come within the call
    };
    // Waits until the thread may go on.
    CallGo call_ends();
    // The thread ends, and the process with it: those that stay stopped are no reason for an event.
    void process_ends();
    // Something happened to this thread. True: it is what everybody stops for; then wait(). False: everybody stops already, or there is
    // no debugger.
    bool event(const Stop& stop, const std::optional<Siginfo>& info = std::nullopt);
    // Whether a signal of the host's number is one that the debugger wants to know of.
    bool wants(int signal);
    bool attached();
    uint64_t id() const { return id_; }

  private:
    friend class StopControl;

    bool may_run() const;
    void leave_registers(State state);
    // True: they were changed.
    bool take_registers();

    StopControl& owner_;
    Thread& thread_;
    const uint64_t id_;
    // Under the owner's mutex.
    State state_ = State::running;
    FrameRegisters registers_;  // calling and stopped
    bool written_ = false;
    bool listed_ = false;  // by threads()
    bool goes_ = true;     // by the last resume()
    bool step_ = false;
    int signal_ = 0;
    bool process_ends_ = false;
    std::optional<Siginfo> info_;
};

}  // namespace weft::user
