// The life of a guest thread with a debugger: cpu_loop.h's, with places at which it stops.
#pragma once

#include <memory>

#include "emulator/linux-user/cpu_loop.h"
#include "emulator/linux-user/debug/breakpoints.h"
#include "emulator/linux-user/debug/stop_control.h"

namespace weft::user {

// `member` is the thread's, and ends with it. As run_thread, until the thread ends, whether or not the debugger is still there.
ThreadEnd run_debugged_thread(const ProcessOps& accelerator, Vcpu* vcpu, Cpu& cpu, Thread& thread,
                              std::unique_ptr<StopControl::Member> member, const Breakpoints& breakpoints);

}  // namespace weft::user
