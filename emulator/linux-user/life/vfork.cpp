// vfork(2): a process that borrows its parent's memory and its parent's thread, which sleeps, until it runs another program or ends.
//
// The child is the host's vfork: it runs the same vCPU, in the same memory, with the same locks, and so the guest's posix_spawn can tell
// its parent of errors. It has a stack of the host's of its own, and all that is its own and lies in memory (registers, numbers,
// mask, actions of signals) is put back when the parent goes on. A child that is killed while it holds a lock of weft's would stop its
// parent's other threads; it holds one only while it translates or maps.
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/mapping.h"
#include "base/raw_syscall.h"
#include "emulator/linux-user/life/guest_threads.h"
#include "emulator/linux-user/signal/deliver.h"
#include "emulator/linux-user/signal/host_signals.h"
#include "emulator/linux-user/signal/sighand.h"
#include "emulator/linux-user/syscall/safe_call.h"
#include "weft/abi.h"

namespace weft::user {

namespace {

// Sanitizers keep what they know of a thread by its number, and take the child for another one.
constexpr bool kByFork = sanitizer_mode() != SanitizerMode::none;

constexpr size_t kHostStack = size_t{256} << 10;
constexpr uint64_t kDoneHere = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID |
                               CLONE_SETTLS | CLONE_DETACHED | CLONE_SIGHAND | CLONE_CLEAR_SIGHAND;

// What of a thread is its process's, and lies in memory.
struct Kept {
    explicit Kept(Thread& thread)
        : registers(thread.signals.registers->get()),
          tid(thread.tid),
          clear_child_tid(thread.clear_child_tid),
          robust_list(thread.robust_list),
          pointer_mask(thread.pointer_mask),
          signal_mask(thread.signal_mask),
          alternate_stack(thread.alternate_stack),
          own_actions(thread.signals.own_actions),
          sent_segv(thread.signals.sent_segv.look()),
          sent_bus(thread.signals.sent_bus.look()) {}

    void put_back(Thread& thread) const {
        thread.signals.registers->set(registers);
        thread.tid = tid;
        thread.clear_child_tid = clear_child_tid;
        thread.robust_list = robust_list;
        thread.pointer_mask = pointer_mask;
        thread.signal_mask = signal_mask;
        thread.alternate_stack = alternate_stack;
        ThreadSignals& signals = thread.signals;
        signals.own_actions = own_actions;
        signals.slot.clear();
        signals.sent_segv.put(sent_segv);
        signals.sent_bus.put(sent_bus);
        signals.exception.reset();
        signals.swapped.reset();
        signals.closed = true;
    }

    const FrameRegisters registers;
    const int32_t tid;
    const uint64_t clear_child_tid;
    const uint64_t robust_list;
    const uint32_t pointer_mask;
    const uint64_t signal_mask;
    const abi::Stack alternate_stack;
    Sighand* const own_actions;
    const std::optional<Siginfo> sent_segv;
    const std::optional<Siginfo> sent_bus;
};

struct Child {
    const Runtime& runtime;
    Thread& thread;
    const CloneRequest& request;
    Cpu& cpu;
    Sighand& actions;
    int32_t pidfd;  // its descriptor (CLONE_PIDFD), by the kernel
};

[[noreturn]] int run_child(void* argument) {
    Child& child = *static_cast<Child*>(argument);
    Thread& thread = child.thread;
    thread.tid = static_cast<int32_t>(raw_syscall(SYS_gettid));
    thread.signals.sent_segv.clear();
    thread.signals.sent_bus.clear();
    set_host_mask(host_signal_mask(kAllSignals));
    thread.signals.own_actions = &child.actions;
    thread.robust_list = 0;
    thread.clear_child_tid = 0;
    if ((child.request.flags & CLONE_CHILD_SETTID) != 0) {
        (void)thread.process.memory().write(child.request.child_tid, &thread.tid, sizeof(thread.tid));
    }
    if ((child.request.flags & CLONE_PIDFD) != 0) {
        (void)thread.process.memory().write(child.request.pidfd, &child.pidfd, sizeof(child.pidfd));
    }
    if ((child.request.flags & CLONE_CLEAR_SIGHAND) != 0) {
        child.actions.clear_handlers();
    }
    child.cpu.set(child_registers(child.cpu.get(), child.request));
    const ThreadEnd end = run_thread(child.runtime.ops, thread.guest->vcpu(), child.cpu, thread);
    // What is the parent's is left as it is.
    while (true) {
        raw_syscall(SYS_exit_group, end.status);
    }
}

}  // namespace

int64_t GuestThreads::vfork(Thread& caller, const CloneRequest& request) {
    // A debugger's breakpoints would be the child's, and there is nobody to tell of them.
    if (kByFork || runtime_.debugger != nullptr) {
        CloneRequest copy = request;
        copy.flags &= ~uint64_t{CLONE_VM};
        return fork(caller, copy);
    }
    GuestMemory& memory = caller.process.memory();
    constexpr int32_t kNone = -1;
    if ((request.flags & CLONE_PIDFD) != 0 && !memory.write(request.pidfd, &kNone, sizeof(kNone))) {
        return -EFAULT;
    }
    auto stack = Mapping::anonymous(kHostStack, PROT_READ | PROT_WRITE, MAP_NORESERVE);
    if (!stack) {
        return -EAGAIN;
    }
    if (close_signals(caller) == kRestart) {
        return kRestart;
    }
    // In the places of a thread that two processes have, what is sent to one would be the other's.
    set_host_mask(kAllSignals);
    const Kept kept(caller);
    Sighand actions(sighand_of(caller));
    Child child{runtime_, caller, request, caller.guest->cpu(), actions, kNone};
    const int flags =
        static_cast<int>((request.flags & ~kDoneHere) | static_cast<uint64_t>(request.exit_signal));
    const int pid =
        ::clone(run_child, static_cast<std::byte*>(stack->data()) + kHostStack, flags, &child, &child.pidfd);
    const int error = errno;
    kept.put_back(caller);
    set_host_mask(host_signal_mask(kAllSignals));
    if (pid < 0) {
        return -error;
    }
    if ((request.flags & CLONE_PARENT_SETTID) != 0) {
        (void)memory.write(request.parent_tid, &pid, sizeof(pid));
    }
    return pid;
}

}  // namespace weft::user
