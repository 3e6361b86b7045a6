// The guest's threads, each of which is a thread of the host's, and its processes, each of which is a process of the host's.
//
// A thread of the guest is run by a host thread of its own, so that numbers, masks, limits and everything else that the kernel keeps
// for a thread are the kernel's. The host thread that began as the process's first one stays the first one, and ends by exit(2) of its
// own; whichever is the last ends the process. All others end as the C library's threads do, which gives their stacks back.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "emulator/linux-user/cpu_loop.h"
#include "emulator/linux-user/life/guest_thread.h"
#include "emulator/linux-user/life/lifecycle.h"
#include "emulator/linux-user/life/runtime.h"
#include "emulator/linux-user/signal/deliver.h"

namespace weft::user {

class GuestThreads final : public Lifecycle {
  public:
    explicit GuestThreads(const Runtime& runtime) : runtime_(runtime) {}
    GuestThreads(const GuestThreads&) = delete;
    GuestThreads& operator=(const GuestThreads&) = delete;

    // Runs the first thread on the calling one, which is the process's first. With Runtime::comes_back, comes back with the process's
    // status where no other thread and no other process of the guest's was made of it; else the process ends in here.
    int run_first(GuestThread& first, const SignalsAtStart& signals);

    // Lifecycle
    int64_t clone(Thread& caller, const CloneRequest& request) override;
    int64_t may_execute(Thread& caller, const std::string& path) override;
    int64_t execute(Thread& caller, const ExecuteRequest& request) override;

  private:
    struct Start;

    static void* enter(void* start);
    int64_t make_thread(Thread& caller, const CloneRequest& request);   // guest_threads.cpp
    int64_t fork(Thread& caller, const CloneRequest& request);          // fork.cpp
    int64_t vfork(Thread& caller, const CloneRequest& request);         // vfork.cpp
    int32_t copy_process(const CloneRequest& request, Thread& caller);  // fork.cpp
    void become_child(Thread& caller);                                  // fork.cpp
    ThreadEnd run(GuestThread& guest);
    // What a thread does last. Comes back only where its host thread may end as the C library's do.
    void end(std::unique_ptr<GuestThread> guest, const ThreadEnd& end);
    void tell_end(int status);
    [[noreturn]] void end_process(int status);

    const Runtime runtime_;
    // Threads that are alive: whoever is the last one ends the process. Sequentially consistent.
    std::atomic<uint32_t> alive_{0};
    // Ever more than the first thread, or a child of fork. Set by a thread that makes one; read by the first: seq_cst.
    std::atomic<bool> left_first_{false};
};

// Registers with which a clone begins: those of `parent` behind its ecall, with a0 0.
FrameRegisters child_registers(const FrameRegisters& parent, const CloneRequest& request);

}  // namespace weft::user
