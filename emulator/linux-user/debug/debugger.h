// A debugger of a guest process (-g): what belongs together, from the command line's address to the process's end.
#pragma once

#include <memory>

#include "base/error.h"
#include "emulator/linux-user/cpu_loop.h"
#include "emulator/linux-user/debug/breakpoints.h"
#include "emulator/linux-user/debug/server.h"
#include "emulator/linux-user/debug/stop_control.h"
#include "emulator/linux-user/debug/user_target.h"
#include "emulator/linux-user/process.h"

namespace weft::user {

class Debugger final : public EndListener {
  public:
    // Listens; the first thread then waits for a client. All outlive it; `breakpoints` is the process's overlay. Errors: the port cannot
    // be had.
    static Result<std::unique_ptr<Debugger>> create(const DebugAddress& address, Process& process,
                                                    Breakpoints& breakpoints, CodeListener& listener);
    ~Debugger() override;

    // The calling thread is one of the guest's from now on, which stops with the others: before its maker's call comes back, so that
    // nobody stops without it.
    std::unique_ptr<StopControl::Member> join(Thread& thread) {
        return std::make_unique<StopControl::Member>(stops_, thread);
    }
    // As run_thread.
    ThreadEnd run(const ProcessOps& accelerator, Vcpu* vcpu, Cpu& cpu, Thread& thread,
                  std::unique_ptr<StopControl::Member> member);

    // EndListener: comes back when the client was told.
    void exits(int status) override;
    void killed(int signal) override;

    // Around fork(2), behind Process::fork_prepare. The child runs on without a debugger; fork_child() comes behind Process's.
    void fork_prepare() { stops_.fork_prepare(); }
    void fork_parent() { stops_.fork_parent(); }
    void fork_child(const Thread& survivor);

  private:
    Debugger(Process& process, Breakpoints& breakpoints, CodeListener& listener);

    Process& process_;
    Breakpoints& breakpoints_;
    StopControl stops_;
    UserTarget target_;
    std::unique_ptr<DebugServer> server_;  // set before the guest runs
};

}  // namespace weft::user
