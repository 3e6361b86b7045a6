// The calls that weft implements, each a function of its own name, by family; and those whose part of weft is not there yet.
//
// dispatch.cpp binds the rows `own` of table.h to these by name when it is compiled: a row that has neither a function nor a place in
// the list of pending ones, or both, does not compile.
#pragma once

#include "emulator/linux-user/syscall/call_context.h"

// clang-format off
#define WEFT_USER_FILE_CALLS(X) /* files.cpp */ \
    X(openat) X(openat2) X(newfstatat) X(fstat) X(readlinkat)
#define WEFT_USER_DESCRIPTOR_CALLS(X) /* descriptors.cpp */ \
    X(close) X(close_range) X(dup3) X(fcntl)
#define WEFT_USER_EPOLL_CALLS(X) /* epoll.cpp */ \
    X(epoll_ctl)
#define WEFT_USER_POLL_CALLS(X) /* poll.cpp */ \
    X(ppoll) X(pselect6) X(epoll_pwait) X(epoll_pwait2)
#define WEFT_USER_IOCTL_CALLS(X) /* ioctl.cpp */ \
    X(ioctl)
#define WEFT_USER_MEMORY_CALLS(X) /* memory_calls.cpp */ \
    X(brk) X(mmap) X(munmap) X(mprotect) X(mremap) X(madvise) X(msync) X(mincore) X(mlock) X(mlock2) X(munlock) X(mlockall) \
    X(munlockall) X(mseal) X(shmat) X(shmdt) X(pkey_alloc) X(pkey_free) X(pkey_mprotect)
#define WEFT_USER_PROCESS_CALLS(X) /* process_calls.cpp */ \
    X(exit) X(exit_group) X(set_tid_address) X(uname) X(personality) X(getrlimit) X(setrlimit) X(prlimit64) X(futex) \
    X(riscv_flush_icache) X(ptrace) X(restart_syscall)

#define WEFT_USER_SIGNAL_CALLS(X) /* signal_calls.cpp */ \
    X(rt_sigaction) X(rt_sigpending) X(rt_sigprocmask) X(rt_sigreturn) X(rt_sigsuspend) X(rt_sigtimedwait) X(sigaltstack)

#define WEFT_USER_LIFE_CALLS(X) /* life_calls.cpp */ \
    X(clone) X(clone3) X(execve) X(execveat) X(get_robust_list) X(set_robust_list)

#define WEFT_USER_CALLS(X)        \
    WEFT_USER_LIFE_CALLS(X)       \
    WEFT_USER_FILE_CALLS(X)       \
    WEFT_USER_DESCRIPTOR_CALLS(X) \
    WEFT_USER_EPOLL_CALLS(X)      \
    WEFT_USER_POLL_CALLS(X)       \
    WEFT_USER_IOCTL_CALLS(X)      \
    WEFT_USER_MEMORY_CALLS(X)     \
    WEFT_USER_PROCESS_CALLS(X)    \
    WEFT_USER_SIGNAL_CALLS(X)

// ENOSYS until their part is there.
#define WEFT_USER_PENDING_CALLS(X) \
    /* rings that the kernel maps */ \
    X(io_setup) X(io_destroy) X(io_submit) X(io_cancel) X(io_getevents) X(io_pgetevents) \
    /* arguments by operation */ \
    X(prctl) X(semctl) X(msgrcv) X(msgsnd) X(mq_notify) X(keyctl) X(getsockopt) X(setsockopt) X(getxattrat) \
    X(setxattrat) X(kcmp) X(membarrier) X(riscv_hwprobe) \
    /* memory of others, and its nodes */ \
    X(process_madvise) X(process_vm_readv) X(process_vm_writev) X(mbind) X(get_mempolicy) X(set_mempolicy_home_node) \
    X(move_pages)
// clang-format on

namespace weft::user::calls {

#define WEFT_USER_DECLARE(name) SyscallOutcome name(CallContext& call);
WEFT_USER_CALLS(WEFT_USER_DECLARE)
#undef WEFT_USER_DECLARE

}  // namespace weft::user::calls
