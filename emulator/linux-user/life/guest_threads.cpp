#include "emulator/linux-user/life/guest_threads.h"

#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/mutex.h"
#include "base/raw_syscall.h"
#include "emulator/accel/text_sinks.h"
#include "emulator/linux-user/debug/debugger.h"
#include "emulator/linux-user/life/thread_exit.h"
#include "emulator/linux-user/signal/host_signals.h"
#include "emulator/linux-user/syscall/safe_call.h"

namespace weft::user {

namespace {

// Weft's own calls need little; guest code runs on the guest's stacks.
constexpr size_t kHostStack = size_t{256} << 10;

constexpr uint64_t kThreadFlags = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
// What a thread of the C library's shares with its maker, and what it can have of its own from then on.
constexpr uint64_t kShared = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM;
constexpr uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;

int32_t host_tid() { return static_cast<int32_t>(raw_syscall(SYS_gettid)); }
int32_t host_pid() { return static_cast<int32_t>(raw_syscall(SYS_getpid)); }

}  // namespace

FrameRegisters child_registers(const FrameRegisters& parent, const CloneRequest& request) {
    constexpr unsigned kSp = 2;
    constexpr unsigned kTp = 4;
    constexpr unsigned kA0 = 10;
    constexpr uint64_t kEcallSize = 4;
    FrameRegisters child = parent;
    child.pc += kEcallSize;
    child.x[kA0] = 0;
    if (request.stack != 0) {
        child.x[kSp] = request.stack;
    }
    if ((request.flags & CLONE_SETTLS) != 0) {
        child.x[kTp] = request.tls;
    }
    return child;
}

// What the maker of a thread and that thread tell each other. Of both: whoever is the last lets it go.
struct GuestThreads::Start {
    GuestThreads& owner;
    std::unique_ptr<GuestThread> guest;
    uint64_t unshared;  // CLONE_*: what it has of its own
    Mutex mutex = {};
    CondVar changed = {};
    int32_t tid WEFT_GUARDED_BY(mutex) = 0;      // 0: it does not run yet; negative: an errno, it has ended
    bool may_go WEFT_GUARDED_BY(mutex) = false;  // its number is where the guest asked for it
};

int64_t GuestThreads::clone(Thread& caller, const CloneRequest& request) {
    // Linux' copy_process.
    const uint64_t flags = request.flags;
    const auto has = [flags](uint64_t wanted) { return (flags & wanted) == wanted; };
    if ((has(CLONE_THREAD) && !has(CLONE_SIGHAND)) || (has(CLONE_SIGHAND) && !has(CLONE_VM)) ||
        (has(CLONE_NEWNS) && has(CLONE_FS)) || (has(CLONE_PIDFD) && has(CLONE_THREAD)) ||
        (has(CLONE_SIGHAND) && has(CLONE_CLEAR_SIGHAND)) || (has(CLONE_FS) && has(CLONE_NEWUSER)) ||
        (has(CLONE_THREAD) && (has(CLONE_NEWUSER) || has(CLONE_NEWPID))) ||
        (has(CLONE_SYSVSEM) && has(CLONE_NEWIPC))) {
        return -EINVAL;
    }
    if (has(CLONE_VM) && has(CLONE_NEWTIME)) {
        return -EINVAL;  // would need the host's clone3 for threads and for what vfork makes
    }
    if (has(kThreadFlags)) {
        return make_thread(caller, request);
    }
    if (has(CLONE_VM | CLONE_VFORK)) {
        return vfork(caller, request);
    }
    // A process that shares memory and runs at the same time would need its own weft in it.
    return has(CLONE_VM) ? -EINVAL : fork(caller, request);
}

int64_t GuestThreads::make_thread(Thread& caller, const CloneRequest& request) {
    auto made = GuestThread::create(runtime_);
    if (!made) {
        return -EAGAIN;
    }
    // The new thread begins with all signals blocked; so does its maker until it comes back to the loop.
    if (close_signals(caller) == kRestart) {
        return kRestart;
    }
    Thread& thread = (*made)->thread();
    (*made)->cpu().set(child_registers(caller.signals.registers->get(), request));
    thread.signal_mask = caller.signal_mask;
    thread.pointer_mask = caller.pointer_mask;
    thread.clear_child_tid = (request.flags & CLONE_CHILD_CLEARTID) != 0 ? request.child_tid : 0;

    const auto shared = std::make_shared<Start>(*this, std::move(*made),
                                                (~request.flags & kShared) | (request.flags & kNamespaces));
    Start& start = *shared;
    auto argument = std::make_unique<std::shared_ptr<Start>>(shared);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kHostStack);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    left_first_.store(true, std::memory_order_seq_cst);
    alive_.fetch_add(1, std::memory_order_seq_cst);
    pthread_t host{};
    const int failed = pthread_create(&host, &attributes, &GuestThreads::enter, argument.get());
    pthread_attr_destroy(&attributes);
    if (failed != 0) {
        alive_.fetch_sub(1, std::memory_order_seq_cst);
        return -EAGAIN;
    }
    argument.release();
    MutexLock lock(start.mutex);
    while (start.tid == 0) {
        start.changed.wait(start.mutex);
    }
    const int32_t tid = start.tid;
    if (tid < 0) {
        alive_.fetch_sub(1, std::memory_order_seq_cst);
        return tid;
    }
    // Both are there before either thread goes on. A place that cannot be written to is the guest's affair (put_user in fork.c).
    for (const auto& [flag, address] : {std::pair(uint64_t{CLONE_PARENT_SETTID}, request.parent_tid),
                                        std::pair(uint64_t{CLONE_CHILD_SETTID}, request.child_tid)}) {
        if ((request.flags & flag) != 0) {
            (void)caller.process.memory().write(address, &tid, sizeof(tid));
        }
    }
    start.may_go = true;
    start.changed.notify_all();
    return tid;
}

void* GuestThreads::enter(void* argument) {
    std::unique_ptr<GuestThread> guest;
    std::shared_ptr<Start> shared;
    {
        const std::unique_ptr<std::shared_ptr<Start>> given(static_cast<std::shared_ptr<Start>*>(argument));
        shared = *given;
    }
    Start& start = *shared;
    GuestThreads& owner = start.owner;
    {
        MutexLock lock(start.mutex);
        // Its maker waits, so that the copies are of the time of the call. Where a container forbids the call, threads that share all
        // but their lists of semaphores are made nevertheless.
        const int64_t failed = start.unshared != 0 ? raw_syscall(SYS_unshare, start.unshared) : 0;
        if (failed < 0 && start.unshared != CLONE_SYSVSEM) {
            start.tid = static_cast<int32_t>(failed);
            start.changed.notify_all();
            return nullptr;
        }
        guest = std::move(start.guest);
        guest->thread().tid = host_tid();
        if (Debugger* debugger = owner.runtime_.debugger) {
            guest->debugged = debugger->join(guest->thread());
        }
        start.tid = guest->thread().tid;
        start.changed.notify_all();
        while (!start.may_go) {
            start.changed.wait(start.mutex);
        }
    }
    shared.reset();
    start_thread_signals(guest->thread());
    const ThreadEnd end = owner.run(*guest);
    owner.end(std::move(guest), end);
    return nullptr;
}

int GuestThreads::run_first(GuestThread& first, const SignalsAtStart& signals) {
    alive_.store(1, std::memory_order_seq_cst);
    first.thread().tid = host_tid();
    if (runtime_.debugger != nullptr) {
        first.debugged = runtime_.debugger->join(first.thread());
    }
    start_signals(first.thread(), signals);
    const ThreadEnd end = run(first);
    if (runtime_.comes_back && !left_first_.load(std::memory_order_seq_cst)) {
        tell_end(end.status);
        set_current_thread(nullptr);
        return end.status;
    }
    // The first thread's memory stays: it is the stack of the program's main().
    if (end.kind != ThreadEnd::Kind::thread) {
        end_process(end.status);
    }
    leave_robust_list(first.thread());
    set_current_thread(nullptr);
    const bool last = alive_.fetch_sub(1, std::memory_order_seq_cst) == 1;
    clear_tid(first.thread());
    if (last) {
        end_process(end.status);
    }
    // Whose status is the process's, if nobody says one for all, is the kernel's to know (do_exit).
    while (true) {
        raw_syscall(SYS_exit, end.status);
    }
}

ThreadEnd GuestThreads::run(GuestThread& guest) {
    return runtime_.debugger != nullptr ? runtime_.debugger->run(runtime_.ops, guest.vcpu(), guest.cpu(),
                                                                 guest.thread(), std::move(guest.debugged))
                                        : run_thread(runtime_.ops, guest.vcpu(), guest.cpu(), guest.thread());
}

void GuestThreads::end(std::unique_ptr<GuestThread> guest, const ThreadEnd& end) {
    if (end.kind != ThreadEnd::Kind::thread) {
        end_process(end.status);
    }
    leave_robust_list(guest->thread());
    // The thread that joins this one unmaps what it ran on as soon as the word is cleared: nothing of it is used any more then.
    set_current_thread(nullptr);
    const Thread& thread = guest->thread();
    const bool is_first = thread.tid == host_pid();  // in a child of fork
    if (alive_.fetch_sub(1, std::memory_order_seq_cst) == 1) {
        clear_tid(thread);
        // As the kernel has it since 5.18 (do_exit); weft may have threads of its own besides, as sanitizers make them.
        end_process(end.status);
    }
    const TidWord word(thread);
    guest.reset();
    word.clear();
    while (is_first) {
        raw_syscall(SYS_exit, end.status);
    }
}

void GuestThreads::tell_end(int status) {
    if (EndListener* listener = runtime_.process.end_listener()) {
        listener->exits(status);
    }
}

void GuestThreads::end_process(int status) {
    tell_end(status);
    // Other threads may still run: what is to be written at the end is written beside them.
    const TextSink nowhere{[](void*, const char*, size_t) {}, nullptr};
    runtime_.accel.report(runtime_.instance, "stats-file", &nowhere);
    runtime_.ops.keep(runtime_.instance);
    while (true) {
        raw_syscall(SYS_exit_group, status);
    }
}

}  // namespace weft::user
