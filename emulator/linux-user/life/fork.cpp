// fork(2), and clone(2) of a process that shares no memory.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <optional>
#include <string_view>

#include "base/messages.h"
#include "base/raw_syscall.h"
#include "base/unique_fd.h"
#include "emulator/accel/text_sinks.h"
#include "emulator/linux-user/debug/debugger.h"
#include "emulator/linux-user/life/child_descriptor.h"
#include "emulator/linux-user/life/guest_threads.h"
#include "emulator/linux-user/signal/deliver.h"
#include "emulator/linux-user/signal/host_signals.h"
#include "emulator/linux-user/syscall/safe_call.h"

namespace weft::user {

namespace {

// What is done here, or by the kernel for any fork, or means nothing to a process without shared memory.
constexpr uint64_t kKnownFlags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID |
                                 CLONE_PIDFD | CLONE_SETTLS | CLONE_SYSVSEM | CLONE_VFORK | CLONE_DETACHED |
                                 CLONE_UNTRACED | CLONE_PTRACE | CLONE_CLEAR_SIGHAND;

// Where the C library's fork() will not do.
bool needs_clone(const CloneRequest& request) {
    return (request.flags & ~kKnownFlags) != 0 || request.exit_signal != SIGCHLD;
}

int64_t system_clone(const CloneRequest& request) {
    const uint64_t flags = request.flags & ~kKnownFlags;
    const auto signal = static_cast<uint64_t>(request.exit_signal);
    if ((flags & CLONE_NEWTIME) != 0) {
        // To clone(2) its bit is one of the signal's.
        ::clone_args args{};
        args.flags = flags;
        args.exit_signal = signal;
        return raw_syscall(SYS_clone3, &args, sizeof(args));
    }
    return raw_syscall(SYS_clone, flags | signal, 0, 0, 0, 0);
}

// The parent of a fork with CLONE_VFORK sleeps until the child runs another program or ends: until nobody has the pipe's other end.
class ChildDone {
  public:
    Result<> open() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) {
            return fail_errno("pipe2");
        }
        read_ = UniqueFd(ends[0]);
        write_ = UniqueFd(ends[1]);
        return {};
    }
    void in_child() { read_ = UniqueFd(); }
    void wait() {
        write_ = UniqueFd();
        char byte = 0;
        while (read_.get() >= 0 && raw_syscall(SYS_read, read_.get(), &byte, 1) == -EINTR) {
        }
        read_ = UniqueFd();
    }

  private:
    UniqueFd read_;
    UniqueFd write_;
};

// The child ends: its parent was told that it is there, so that the call cannot fail any more.
[[noreturn]] void fail_child(std::string_view message) {
    print_error(message);
    while (true) {
        raw_syscall(SYS_exit_group, 1);
    }
}

}  // namespace

// Throws std::bad_alloc.
void GuestThreads::become_child(Thread& caller) {
    loader::ErrorCollector errors;
    if (!runtime_.ops.fork_child(runtime_.instance, caller.guest->vcpu(), errors.sink())) {
        fail_child("fork: " + errors.message("there is no memory"));
    }
    runtime_.process.fork_child();
    if (runtime_.debugger != nullptr) {
        runtime_.debugger->fork_child(caller);
    }
}

// The number of the child, 0 in it, or a negated errno. All signals of the caller's are blocked.
int32_t GuestThreads::copy_process(const CloneRequest& request, Thread& caller) {
    Process& process = runtime_.process;
    Debugger* const debugger = runtime_.debugger;
    // The C library's fork() also sees to its own locks, which other threads may hold, among them those of a debugger's connection.
    const bool alone = alive_.load(std::memory_order_seq_cst) == 1 && debugger == nullptr;
    if (needs_clone(request) && !alone) {
        return -EINVAL;
    }
    runtime_.ops.fork_begin(runtime_.instance);
    process.fork_prepare();
    if (debugger != nullptr) {
        debugger->fork_prepare();
    }
    runtime_.ops.fork_prepare(runtime_.instance);
    // What was sent to the parent is not the child's: SIGSEGV and SIGBUS as well wait until each is who it is.
    set_host_mask(kAllSignals);
    const int64_t child = needs_clone(request) ? system_clone(request) : ::fork();
    const int error = errno;
    if (child == 0) {
        caller.signals.sent_segv.clear();
        caller.signals.sent_bus.clear();
    }
    set_host_mask(host_signal_mask(kAllSignals));
    if (child != 0) {
        runtime_.ops.fork_parent(runtime_.instance);
        if (debugger != nullptr) {
            debugger->fork_parent();
        }
        process.fork_parent();
        return static_cast<int32_t>(child == -1 && !needs_clone(request) ? -error : child);
    }
    try {
        become_child(caller);
    } catch (const std::bad_alloc&) {
        fail_child("fork: there is no memory");
    }
    alive_.store(1, std::memory_order_seq_cst);
    left_first_.store(true, std::memory_order_seq_cst);
    return 0;
}

int64_t GuestThreads::fork(Thread& caller, const CloneRequest& request) {
    ChildDone done;
    const bool waits = (request.flags & CLONE_VFORK) != 0;
    if (waits && !done.open()) {
        return -EAGAIN;
    }
    GuestMemory& memory = caller.process.memory();
    std::optional<ChildDescriptor> descriptor;
    if ((request.flags & CLONE_PIDFD) != 0) {
        if (const int64_t failed = descriptor.emplace().reserve(memory, request.pidfd); failed != 0) {
            return failed;
        }
    }
    // Else a signal that the parent has taken would be the child's as well.
    if (close_signals(caller) == kRestart) {
        return kRestart;
    }
    const int32_t child = copy_process(request, caller);
    if (child < 0) {
        return child;
    }
    if (child > 0) {
        if ((request.flags & CLONE_PARENT_SETTID) != 0) {
            (void)memory.write(request.parent_tid, &child, sizeof(child));
        }
        if (descriptor) {
            descriptor->open(memory, request.pidfd, child);
        }
        if (waits) {
            done.wait();
        }
        return child;
    }
    done.in_child();
    if (descriptor) {
        descriptor->wait();
    }
    caller.tid = static_cast<int32_t>(raw_syscall(SYS_gettid));
    if ((request.flags & CLONE_CHILD_SETTID) != 0) {
        (void)memory.write(request.child_tid, &caller.tid, sizeof(caller.tid));
    }
    caller.clear_child_tid = (request.flags & CLONE_CHILD_CLEARTID) != 0 ? request.child_tid : 0;
    if ((request.flags & CLONE_CLEAR_SIGHAND) != 0) {
        caller.process.sighand().clear_handlers();
    }
    // Robust lists are not inherited (fork.c, "Clear any robust list").
    caller.robust_list = 0;
    FrameRegisters registers = child_registers(caller.signals.registers->get(), request);
    // The call's result, and its pc, are the loop's.
    registers.pc = caller.signals.registers->get().pc;
    caller.signals.registers->set(registers);
    return 0;
}

}  // namespace weft::user
