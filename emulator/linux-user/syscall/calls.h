// The calls that weft implements, each a function of its own name, by family.
//
// dispatch.cpp binds the rows `own` of table.h to these by name when it is compiled: a row without a function does not compile.
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
    X(brk) X(mmap) X(munmap) X(mprotect) X(mremap) X(remap_file_pages) X(madvise) X(msync) X(mincore) X(mlock) X(mlock2) X(munlock) X(mlockall) \
    X(munlockall) X(mseal) X(shmat) X(shmdt) X(pkey_alloc) X(pkey_free) X(pkey_mprotect)
#define WEFT_USER_PROCESS_CALLS(X) /* process_calls.cpp */ \
    X(exit) X(exit_group) X(set_tid_address) X(uname) X(personality) X(getrlimit) X(setrlimit) X(prlimit64) X(futex) \
    X(riscv_flush_icache) X(ptrace) X(restart_syscall)

#define WEFT_USER_SIGNAL_CALLS(X) /* signal_calls.cpp */ \
    X(rt_sigaction) X(rt_sigpending) X(rt_sigprocmask) X(rt_sigreturn) X(rt_sigsuspend) X(rt_sigtimedwait) X(sigaltstack)

#define WEFT_USER_PROCESS_CONTROL_CALLS(X) /* process_control.cpp */ \
    X(prctl) X(kcmp) X(membarrier) X(riscv_hwprobe)
#define WEFT_USER_SOCKET_CALLS(X) /* socket_calls.cpp */ \
    X(getsockopt) X(setsockopt)
#define WEFT_USER_IPC_CALLS(X) /* ipc_calls.cpp */ \
    X(semctl) X(msgrcv) X(msgsnd) X(mq_notify)
#define WEFT_USER_KEY_CALLS(X) /* key_calls.cpp */ \
    X(keyctl)
#define WEFT_USER_REMOTE_MEMORY_CALLS(X) /* remote_memory_calls.cpp */ \
    X(process_madvise) X(process_vm_readv) X(process_vm_writev) X(mbind) X(get_mempolicy) X(set_mempolicy_home_node) \
    X(move_pages)
#define WEFT_USER_ATTRIBUTE_CALLS(X) /* attribute_calls.cpp */ \
    X(getxattrat) X(setxattrat)
#define WEFT_USER_TIME_CALLS(X) /* time_calls.cpp */ \
    X(clock_gettime) X(gettimeofday) X(getcpu)

#define WEFT_USER_LIFE_CALLS(X) /* life_calls.cpp */ \
    X(clone) X(clone3) X(execve) X(execveat) X(get_robust_list) X(set_robust_list)

#define WEFT_USER_CALLS(X)             \
    WEFT_USER_LIFE_CALLS(X)            \
    WEFT_USER_FILE_CALLS(X)            \
    WEFT_USER_DESCRIPTOR_CALLS(X)      \
    WEFT_USER_EPOLL_CALLS(X)           \
    WEFT_USER_POLL_CALLS(X)            \
    WEFT_USER_IOCTL_CALLS(X)           \
    WEFT_USER_MEMORY_CALLS(X)          \
    WEFT_USER_PROCESS_CALLS(X)         \
    WEFT_USER_PROCESS_CONTROL_CALLS(X) \
    WEFT_USER_SIGNAL_CALLS(X)          \
    WEFT_USER_SOCKET_CALLS(X)          \
    WEFT_USER_IPC_CALLS(X)             \
    WEFT_USER_KEY_CALLS(X)             \
    WEFT_USER_REMOTE_MEMORY_CALLS(X)   \
    WEFT_USER_ATTRIBUTE_CALLS(X)       \
    WEFT_USER_TIME_CALLS(X)
// clang-format on

namespace weft::user::calls {

#define WEFT_USER_DECLARE(name) SyscallOutcome name(CallContext& call);
WEFT_USER_CALLS(WEFT_USER_DECLARE)
#undef WEFT_USER_DECLARE

}  // namespace weft::user::calls
