// Every system call of riscv64 Linux: number, name, who does it, and what its arguments are.
//
// One table feeds the dispatcher, -strace, the check and conversion of pointers, docs/user-abi.md and the tests. Numbers are
// those of the generic table (asm-generic/unistd.h), checked against the cross compiler's headers; those above 450 are in headers
// after Linux 6.1, from its scripts/syscall.tbl.
//
// Policies: `own`: weft implements it (it concerns memory, threads, signals, the process's own view, or differs between the
// architectures). `pass`: the host's call of the same name, arguments by their kinds. `enosys(why)`: not offered. What is not in
// the table is ENOSYS too. A call of the host is reached only by a row here: the 57 that x86-64 has beside the generic table
// (open, fork, arch_prctl ...) have none.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "emulator/linux-user/syscall/arguments.h"

namespace weft::user {

struct Policy {
    enum class Kind : uint8_t { own, pass, enosys };
    Kind kind;
    std::string_view reason = {};  // of enosys
};

// What has to be done about some arguments before the host gets them.
struct ArgsFacts {
    bool memory = false;  // one names memory of the guest's
    bool lookup = false;  // one is a name that is looked up

    static constexpr ArgsFacts of(const std::array<Arg, 6>& args) {
        ArgsFacts facts;
        for (const Arg& arg : args) {
            facts.memory = facts.memory || arg.is_memory();
            facts.lookup = facts.lookup || arg.kind == ArgKind::lookup;
        }
        return facts;
    }
};

struct Syscall {
    uint16_t number;
    int32_t host_number;  // -1: the host has no such call
    std::string_view name;
    Policy policy;
    std::array<Arg, 6> args;
    ArgsFacts facts = ArgsFacts::of(args);

    constexpr unsigned arg_count() const {
        unsigned count = 0;
        while (count < args.size() && args[count].kind != ArgKind::none) {
            ++count;
        }
        return count;
    }
};

// All rows, by number. Any thread.
std::span<const Syscall> syscalls();
// The row of a number; null where there is none. Any thread, and in signal handlers.
const Syscall* find_syscall(uint64_t number);

// X(number, name, policy, arguments...), in the words of namespace arg; F and S are FlagSet and Struct.
// clang-format off

// Those that x86-64 has by another number.
#define WEFT_USER_SYSCALLS_GENERIC(X)                                                                                         \
    X(0, io_setup, enosys("the kernel would map its ring outside of the guest's memory"), num, inout(S::word))                \
    X(1, io_destroy, enosys("see io_setup"), hex)                                                                             \
    X(2, io_submit, enosys("see io_setup"), hex, num64, unchecked)                                                            \
    X(3, io_cancel, enosys("see io_setup"), hex, unchecked, out(S::io_event))                                                 \
    X(4, io_getevents, enosys("see io_setup"), hex, num64, num64, out(S::io_event, by(2)), in(S::timespec))                   \
    X(5, setxattr, pass, path, string, in(S::bytes, by(3)), size, hex)                                                        \
    X(6, lsetxattr, pass, path, string, in(S::bytes, by(3)), size, hex)                                                       \
    X(7, fsetxattr, pass, fd, string, in(S::bytes, by(3)), size, hex)                                                         \
    X(8, getxattr, pass, path, string, out(S::bytes, by(3)), size)                                                            \
    X(9, lgetxattr, pass, path, string, out(S::bytes, by(3)), size)                                                           \
    X(10, fgetxattr, pass, fd, string, out(S::bytes, by(3)), size)                                                            \
    X(11, listxattr, pass, path, out(S::bytes, by(2)), size)                                                                  \
    X(12, llistxattr, pass, path, out(S::bytes, by(2)), size)                                                                 \
    X(13, flistxattr, pass, fd, out(S::bytes, by(2)), size)                                                                   \
    X(14, removexattr, pass, path, string)                                                                                    \
    X(15, lremovexattr, pass, path, string)                                                                                   \
    X(16, fremovexattr, pass, fd, string)                                                                                     \
    X(17, getcwd, pass, out(S::bytes, by(1)), size)                                                                           \
    X(18, lookup_dcookie, enosys("gone from Linux 6.7"), hex, out(S::bytes, by(2)), size)                                     \
    X(19, eventfd2, pass, num, flags(F::eventfd))                                                                             \
    X(20, epoll_create1, pass, flags(F::epoll_create))                                                                        \
    X(21, epoll_ctl, own, fd, flags(F::epoll_op), fd, in(S::epoll_event))                                                     \
    X(22, epoll_pwait, own, fd, out(S::epoll_event, by(2)), num, num, in(S::sigset), size)                                    \
    X(23, dup, pass, fd)                                                                                                      \
    X(24, dup3, own, fd, fd, flags(F::open))                                                                                  \
    X(25, fcntl, own, fd, flags(F::fcntl), unchecked)                                                                         \
    X(26, inotify_init1, pass, flags(F::open))                                                                                \
    X(27, inotify_add_watch, pass, fd, path, flags(F::inotify))                                                               \
    X(28, inotify_rm_watch, pass, fd, num)                                                                                    \
    X(29, ioctl, own, fd, hex, unchecked)                                                                                     \
    X(30, ioprio_set, pass, num, num, num)                                                                                    \
    X(31, ioprio_get, pass, num, num)                                                                                         \
    X(32, flock, pass, fd, flags(F::flock))                                                                                   \
    X(33, mknodat, pass, dirfd, path, mode, hex)                                                                              \
    X(34, mkdirat, pass, dirfd, path, mode)                                                                                   \
    X(35, unlinkat, pass, dirfd, path, flags(F::at))                                                                          \
    X(36, symlinkat, pass, string, dirfd, path)                                                                               \
    X(37, linkat, pass, dirfd, path, dirfd, path, flags(F::at))                                                               \
    X(39, umount2, pass, path, flags(F::umount))                                                                              \
    X(40, mount, pass, string, path, string, flags(F::mount), string)                                                         \
    X(41, pivot_root, pass, path, path)                                                                                       \
    X(42, nfsservctl, enosys("gone from Linux 3.1"), num, unchecked, unchecked)                                               \
    X(43, statfs, pass, lookup, out(S::statfs))                                                                               \
    X(44, fstatfs, pass, fd, out(S::statfs))                                                                                  \
    X(45, truncate, pass, path, num64)                                                                                        \
    X(46, ftruncate, pass, fd, num64)                                                                                         \
    X(47, fallocate, pass, fd, flags(F::falloc), num64, num64)                                                                \
    X(48, faccessat, pass, dirfd, lookup, flags(F::access))                                                                   \
    X(49, chdir, pass, path)                                                                                                  \
    X(50, fchdir, pass, fd)                                                                                                   \
    X(51, chroot, pass, path)                                                                                                 \
    X(52, fchmod, pass, fd, mode)                                                                                             \
    X(53, fchmodat, pass, dirfd, path, mode)                                                                                  \
    X(54, fchownat, pass, dirfd, path, num, num, flags(F::at))                                                                \
    X(55, fchown, pass, fd, num, num)                                                                                         \
    X(56, openat, own, dirfd, path, flags(F::open), mode)                                                                     \
    X(57, close, own, fd)                                                                                                     \
    X(58, vhangup, pass)                                                                                                      \
    X(59, pipe2, pass, out(S::i32, times(2)), flags(F::open))                                                                 \
    X(60, quotactl, pass, hex, string, num, unchecked)                                                                        \
    X(61, getdents64, pass, fd, out(S::bytes, by(2)), size)                                                                   \
    X(62, lseek, pass, fd, num64, flags(F::seek))                                                                             \
    X(63, read, pass, fd, out(S::bytes, by(2)), size)                                                                         \
    X(64, write, pass, fd, in(S::bytes, by(2)), size)                                                                         \
    X(65, readv, pass, fd, in(S::iovec, by(2)), size)                                                                         \
    X(66, writev, pass, fd, in(S::iovec, by(2)), size)                                                                        \
    X(67, pread64, pass, fd, out(S::bytes, by(2)), size, num64)                                                               \
    X(68, pwrite64, pass, fd, in(S::bytes, by(2)), size, num64)                                                               \
    X(69, preadv, pass, fd, in(S::iovec, by(2)), size, num64, num64)                                                          \
    X(70, pwritev, pass, fd, in(S::iovec, by(2)), size, num64, num64)                                                         \
    X(71, sendfile, pass, fd, fd, inout(S::offset), size)                                                                     \
    /* The last argument points to the mask and its size; the mask is swapped. */                                             \
    X(72, pselect6, own, num, inout(S::bytes, bits(0)), inout(S::bytes, bits(0)), inout(S::bytes, bits(0)),                   \
      inout(S::timespec), in(S::word, times(2)))                                                                              \
    X(73, ppoll, own, inout(S::pollfd, by(1)), num, inout(S::timespec), in(S::sigset), size)                                  \
    X(74, signalfd4, pass, fd, in(S::sigset), size, flags(F::open))                                                           \
    X(75, vmsplice, pass, fd, in(S::iovec, by(2)), size, flags(F::splice))                                                    \
    X(76, splice, pass, fd, inout(S::offset), fd, inout(S::offset), size, flags(F::splice))                                   \
    X(77, tee, pass, fd, fd, size, flags(F::splice))                                                                          \
    X(78, readlinkat, own, dirfd, path, out(S::bytes, by(3)), num)                                                            \
    X(79, newfstatat, own, dirfd, path, out(S::stat), flags(F::at))                                                           \
    X(80, fstat, own, fd, out(S::stat))                                                                                       \
    X(81, sync, pass)                                                                                                         \
    X(82, fsync, pass, fd)                                                                                                    \
    X(83, fdatasync, pass, fd)                                                                                                \
    X(84, sync_file_range, pass, fd, num64, num64, hex)                                                                       \
    X(85, timerfd_create, pass, flags(F::clock), flags(F::timerfd))                                                           \
    X(86, timerfd_settime, pass, fd, flags(F::timer), in(S::itimerspec), out(S::itimerspec))                                  \
    X(87, timerfd_gettime, pass, fd, out(S::itimerspec))                                                                      \
    X(88, utimensat, pass, dirfd, path, in(S::timespec, times(2)), flags(F::at))                                              \
    X(89, acct, pass, path)                                                                                                   \
    X(90, capget, pass, inout(S::cap_header), out(S::bytes, times(24)))                                                       \
    X(91, capset, pass, inout(S::cap_header), in(S::bytes, times(24)))                                                        \
    X(92, personality, own, hex)                                                                                              \
    X(93, exit, own, num)                                                                                                     \
    X(94, exit_group, own, num)                                                                                               \
    X(95, waitid, pass, num, num, out(S::siginfo), flags(F::wait), out(S::rusage))                                            \
    X(96, set_tid_address, own, out(S::i32))                                                                                  \
    X(97, unshare, pass, flags(F::unshare))                                                                                   \
    /* By its operation the fourth argument is a time or a number. */                                                         \
    X(98, futex, own, inout(S::u32), flags(F::futex), num, unchecked, inout(S::u32), num)                                     \
    X(99, set_robust_list, own, in(S::robust_list), size)                                                                     \
    X(100, get_robust_list, own, num, out(S::word), out(S::word))                                                             \
    X(101, nanosleep, pass, in(S::timespec), out(S::timespec))                                                                \
    X(102, getitimer, pass, flags(F::itimer), out(S::itimerval))                                                              \
    X(103, setitimer, pass, flags(F::itimer), in(S::itimerval), out(S::itimerval))                                            \
    X(104, kexec_load, enosys("its images are the host's"), address, num64, unchecked, hex)                                   \
    X(105, init_module, enosys("modules are the host's"), in(S::bytes, by(1)), size, string)                                  \
    X(106, delete_module, enosys("modules are the host's"), string, flags(F::open))                                           \
    X(107, timer_create, pass, flags(F::clock), in(S::sigevent), out(S::i32))                                                 \
    X(108, timer_gettime, pass, num, out(S::itimerspec))                                                                      \
    X(109, timer_getoverrun, pass, num)                                                                                       \
    X(110, timer_settime, pass, num, flags(F::timer), in(S::itimerspec), out(S::itimerspec))                                  \
    X(111, timer_delete, pass, num)                                                                                           \
    X(112, clock_settime, pass, flags(F::clock), in(S::timespec))                                                             \
    X(113, clock_gettime, own, flags(F::clock), out(S::timespec))                                                            \
    X(114, clock_getres, pass, flags(F::clock), out(S::timespec))                                                             \
    X(115, clock_nanosleep, pass, flags(F::clock), flags(F::timer), in(S::timespec), out(S::timespec))                        \
    X(116, syslog, pass, num, out(S::bytes, by(2)), num)                                                                      \
    X(117, ptrace, own, num64, num, unchecked, unchecked)                                                                     \
    X(118, sched_setparam, pass, num, in(S::sched_param))                                                                     \
    X(119, sched_setscheduler, pass, num, flags(F::sched), in(S::sched_param))                                                \
    X(120, sched_getscheduler, pass, num)                                                                                     \
    X(121, sched_getparam, pass, num, out(S::sched_param))                                                                    \
    X(122, sched_setaffinity, pass, num, size, in(S::bytes, by(1)))                                                           \
    X(123, sched_getaffinity, pass, num, size, out(S::bytes, by(1)))                                                          \
    X(124, sched_yield, pass)                                                                                                 \
    X(125, sched_get_priority_max, pass, flags(F::sched))                                                                     \
    X(126, sched_get_priority_min, pass, flags(F::sched))                                                                     \
    X(127, sched_rr_get_interval, pass, num, out(S::timespec))                                                                \
    X(128, restart_syscall, own)                                                                                              \
    X(129, kill, pass, num, sig)                                                                                              \
    X(130, tkill, pass, num, sig)                                                                                             \
    X(131, tgkill, pass, num, num, sig)                                                                                       \
    X(132, sigaltstack, own, in(S::stack), out(S::stack))                                                                     \
    X(133, rt_sigsuspend, own, in(S::sigset), size)                                                                           \
    X(134, rt_sigaction, own, sig, in(S::sigaction), out(S::sigaction), size)                                                 \
    X(135, rt_sigprocmask, own, flags(F::sigmask), in(S::sigset), out(S::sigset), size)                                       \
    X(136, rt_sigpending, own, out(S::bytes, by(1)), size)                                                                    \
    X(137, rt_sigtimedwait, own, in(S::sigset), out(S::siginfo), in(S::timespec), size)                                       \
    X(138, rt_sigqueueinfo, pass, num, sig, in(S::siginfo))                                                                   \
    X(139, rt_sigreturn, own)                                                                                                 \
    X(140, setpriority, pass, flags(F::priority), num, num)                                                                   \
    X(141, getpriority, pass, flags(F::priority), num)                                                                        \
    X(142, reboot, pass, hex, hex, hex, string)                                                                               \
    X(143, setregid, pass, num, num)                                                                                          \
    X(144, setgid, pass, num)                                                                                                 \
    X(145, setreuid, pass, num, num)                                                                                          \
    X(146, setuid, pass, num)                                                                                                 \
    X(147, setresuid, pass, num, num, num)                                                                                    \
    X(148, getresuid, pass, out(S::u32), out(S::u32), out(S::u32))                                                            \
    X(149, setresgid, pass, num, num, num)                                                                                    \
    X(150, getresgid, pass, out(S::u32), out(S::u32), out(S::u32))                                                            \
    X(151, setfsuid, pass, num)                                                                                               \
    X(152, setfsgid, pass, num)                                                                                               \
    X(153, times, pass, out(S::tms))                                                                                          \
    X(154, setpgid, pass, num, num)                                                                                           \
    X(155, getpgid, pass, num)                                                                                                \
    X(156, getsid, pass, num)                                                                                                 \
    X(157, setsid, pass)                                                                                                      \
    X(158, getgroups, pass, num, out(S::u32, by(0)))                                                                          \
    X(159, setgroups, pass, num, in(S::u32, by(0)))                                                                           \
    X(160, uname, own, out(S::utsname))                                                                                       \
    X(161, sethostname, pass, in(S::bytes, by(1)), num)                                                                       \
    X(162, setdomainname, pass, in(S::bytes, by(1)), num)                                                                     \
    X(163, getrlimit, own, flags(F::rlimit), out(S::rlimit))                                                                  \
    X(164, setrlimit, own, flags(F::rlimit), in(S::rlimit))                                                                   \
    X(165, getrusage, pass, flags(F::rusage), out(S::rusage))                                                                 \
    X(166, umask, pass, mode)                                                                                                 \
    X(167, prctl, own, num, unchecked, unchecked, unchecked, unchecked)                                                       \
    X(168, getcpu, own, out(S::u32), out(S::u32), unchecked)                                                                 \
    X(169, gettimeofday, own, out(S::timeval), out(S::timezone))                                                             \
    X(170, settimeofday, pass, in(S::timeval), in(S::timezone))                                                               \
    X(171, adjtimex, pass, inout(S::timex))                                                                                   \
    X(172, getpid, pass)                                                                                                      \
    X(173, getppid, pass)                                                                                                     \
    X(174, getuid, pass)                                                                                                      \
    X(175, geteuid, pass)                                                                                                     \
    X(176, getgid, pass)                                                                                                      \
    X(177, getegid, pass)                                                                                                     \
    X(178, gettid, pass)                                                                                                      \
    X(179, sysinfo, pass, out(S::sysinfo))                                                                                    \
    X(180, mq_open, pass, string, flags(F::open), mode, in(S::mq_attr))                                                       \
    X(181, mq_unlink, pass, string)                                                                                           \
    X(182, mq_timedsend, pass, fd, in(S::bytes, by(2)), size, num, in(S::timespec))                                           \
    X(183, mq_timedreceive, pass, fd, out(S::bytes, by(2)), size, out(S::u32), in(S::timespec))                               \
    X(184, mq_notify, own, fd, in(S::sigevent))                                                                               \
    X(185, mq_getsetattr, pass, fd, in(S::mq_attr), out(S::mq_attr))                                                          \
    X(186, msgget, pass, hex, hex)                                                                                            \
    X(187, msgctl, pass, num, num, inout(S::msqid_ds))                                                                        \
    X(188, msgrcv, own, num, unchecked, size, num64, hex)                                                                     \
    X(189, msgsnd, own, num, unchecked, size, hex)                                                                            \
    X(190, semget, pass, hex, num, hex)                                                                                       \
    X(191, semctl, own, num, num, num, unchecked)                                                                             \
    X(192, semtimedop, pass, num, in(S::sembuf, by(2)), num, in(S::timespec))                                                 \
    X(193, semop, pass, num, in(S::sembuf, by(2)), num)                                                                       \
    X(194, shmget, pass, hex, size, hex)                                                                                      \
    X(195, shmctl, pass, num, num, inout(S::shmid_ds))                                                                        \
    X(196, shmat, own, num, address, hex)                                                                                     \
    X(197, shmdt, own, address)                                                                                               \
    X(198, socket, pass, flags(F::socket_domain), flags(F::socket_type), num)                                                 \
    X(199, socketpair, pass, flags(F::socket_domain), flags(F::socket_type), num, out(S::i32, times(2)))                      \
    X(200, bind, pass, fd, in(S::sockaddr, by(2)), num)                                                                       \
    X(201, listen, pass, fd, num)                                                                                             \
    X(202, accept, pass, fd, out(S::sockaddr, length_at(2)), inout(S::i32))                                                   \
    X(203, connect, pass, fd, in(S::sockaddr, by(2)), num)                                                                    \
    X(204, getsockname, pass, fd, out(S::sockaddr, length_at(2)), inout(S::i32))                                              \
    X(205, getpeername, pass, fd, out(S::sockaddr, length_at(2)), inout(S::i32))                                              \
    X(206, sendto, pass, fd, in(S::bytes, by(2)), size, flags(F::msg), in(S::sockaddr, by(5)), num)                           \
    X(207, recvfrom, pass, fd, out(S::bytes, by(2)), size, flags(F::msg), out(S::sockaddr, length_at(5)), inout(S::i32))      \
    X(208, setsockopt, own, fd, num, num, in(S::bytes, by(4)), num)                                                           \
    X(209, getsockopt, own, fd, num, num, out(S::bytes, length_at(4)), inout(S::i32))                                         \
    X(210, shutdown, pass, fd, flags(F::shutdown))                                                                            \
    X(211, sendmsg, pass, fd, in(S::msghdr), flags(F::msg))                                                                   \
    X(212, recvmsg, pass, fd, inout(S::msghdr), flags(F::msg))                                                                \
    X(213, readahead, pass, fd, num64, size)                                                                                  \
    X(214, brk, own, address)                                                                                                 \
    X(215, munmap, own, address, size)                                                                                        \
    X(216, mremap, own, address, size, size, flags(F::mremap), address)                                                       \
    X(217, add_key, pass, string, string, in(S::bytes, by(3)), size, num)                                                     \
    X(218, request_key, pass, string, string, string, num)                                                                    \
    X(219, keyctl, own, num, unchecked, unchecked, unchecked, unchecked)                                                      \
    X(220, clone, own, flags(F::clone), address, out(S::i32), address, out(S::i32))                                           \
    X(221, execve, own, path, strings, strings)                                                                               \
    X(222, mmap, own, address, size, flags(F::prot), flags(F::mmap), fd, num64)                                               \
    X(223, fadvise64, pass, fd, num64, num64, num)                                                                            \
    X(224, swapon, pass, path, hex)                                                                                           \
    X(225, swapoff, pass, path)                                                                                               \
    X(226, mprotect, own, address, size, flags(F::prot))                                                                      \
    X(227, msync, own, address, size, flags(F::msync))                                                                        \
    X(228, mlock, own, address, size)                                                                                         \
    X(229, munlock, own, address, size)                                                                                       \
    X(230, mlockall, own, flags(F::mlock))                                                                                    \
    X(231, munlockall, own)                                                                                                   \
    X(232, mincore, own, address, size, unchecked)                                                                            \
    X(233, madvise, own, address, size, flags(F::madvise))                                                                    \
    X(234, remap_file_pages, own, address, size, flags(F::prot), size, hex)                                                   \
    X(235, mbind, own, address, size, num, in(S::bytes, bits(4)), size, hex)                                                  \
    X(236, get_mempolicy, own, out(S::i32), out(S::bytes, bits(2)), size, address, hex)                                       \
    X(237, set_mempolicy, pass, num, in(S::bytes, bits(2)), size)                                                             \
    X(238, migrate_pages, pass, num, size, in(S::bytes, bits(1)), in(S::bytes, bits(1)))                                      \
    X(239, move_pages, own, num, size, in(S::word, by(1)), in(S::i32, by(1)), out(S::i32, by(1)), hex)                        \
    X(240, rt_tgsigqueueinfo, pass, num, num, sig, in(S::siginfo))                                                            \
    X(241, perf_event_open, enosys("counters are the host's"), unchecked, num, num, fd, hex)                                  \
    X(242, accept4, pass, fd, out(S::sockaddr, length_at(2)), inout(S::i32), flags(F::socket_type))                           \
    X(243, recvmmsg, pass, fd, inout(S::mmsghdr, by(2)), num, flags(F::msg), inout(S::timespec))                              \
    X(260, wait4, pass, num, out(S::i32), flags(F::wait), out(S::rusage))                                                     \
    X(261, prlimit64, own, num, flags(F::rlimit), in(S::rlimit), out(S::rlimit))                                              \
    X(262, fanotify_init, pass, hex, flags(F::open))                                                                          \
    X(263, fanotify_mark, pass, fd, hex, hex, dirfd, path)                                                                    \
    X(264, name_to_handle_at, pass, dirfd, path, unchecked, out(S::i32), flags(F::at))                                        \
    X(265, open_by_handle_at, pass, dirfd, unchecked, flags(F::open))                                                         \
    X(266, clock_adjtime, pass, flags(F::clock), inout(S::timex))                                                             \
    X(267, syncfs, pass, fd)                                                                                                  \
    X(268, setns, pass, fd, flags(F::unshare))                                                                                \
    X(269, sendmmsg, pass, fd, inout(S::mmsghdr, by(2)), num, flags(F::msg))                                                  \
    X(270, process_vm_readv, own, num, in(S::iovec, by(2)), size, in(S::remote_iovec, by(4)), size, hex)                      \
    X(271, process_vm_writev, own, num, in(S::iovec, by(2)), size, in(S::remote_iovec, by(4)), size, hex)                     \
    X(272, kcmp, own, num, num, num, hex, unchecked)                                                                          \
    X(273, finit_module, enosys("modules are the host's"), fd, string, hex)                                                   \
    X(274, sched_setattr, pass, num, unchecked, hex)                                                                          \
    X(275, sched_getattr, pass, num, out(S::bytes, by(2)), num, hex)                                                          \
    X(276, renameat2, pass, dirfd, path, dirfd, path, flags(F::rename))                                                       \
    X(277, seccomp, enosys("a filter would judge the host's call numbers"), num, hex, unchecked)                              \
    X(278, getrandom, pass, out(S::bytes, by(1)), size, flags(F::getrandom))                                                  \
    X(279, memfd_create, pass, string, flags(F::memfd))                                                                       \
    X(280, bpf, enosys("programs would see the host's registers"), num, unchecked, num)                                       \
    X(281, execveat, own, dirfd, path, strings, strings, flags(F::at))                                                        \
    X(282, userfaultfd, enosys("faults are weft's first"), flags(F::open))                                                    \
    X(283, membarrier, own, num, hex, num)                                                                                    \
    X(284, mlock2, own, address, size, flags(F::mlock))                                                                       \
    X(285, copy_file_range, pass, fd, inout(S::offset), fd, inout(S::offset), size, hex)                                      \
    X(286, preadv2, pass, fd, in(S::iovec, by(2)), size, num64, num64, flags(F::rwf))                                         \
    X(287, pwritev2, pass, fd, in(S::iovec, by(2)), size, num64, num64, flags(F::rwf))                                        \
    X(288, pkey_mprotect, own, address, size, flags(F::prot), num)                                                            \
    X(289, pkey_alloc, own, hex, hex)                                                                                         \
    X(290, pkey_free, own, num)                                                                                               \
    X(291, statx, pass, dirfd, lookup, flags(F::at), hex, out(S::statx))                                                      \
    X(292, io_pgetevents, enosys("see io_setup"), hex, num64, num64, out(S::io_event, by(2)), in(S::timespec), in(S::word, times(2))) \
    X(293, rseq, enosys("a critical section is aborted by guest addresses"), unchecked, num, hex, hex)                        \
    X(294, kexec_file_load, enosys("its images are the host's"), fd, fd, size, string, hex)

// RISC-V's own.
#define WEFT_USER_SYSCALLS_RISCV(X)                                                                                           \
    X(258, riscv_hwprobe, own, inout(S::hwprobe, by(1)), size, size, inout(S::bytes, by(2)), hex)                             \
    X(259, riscv_flush_icache, own, address, address, hex)

// From 424 on a call has one number on all architectures.
#define WEFT_USER_SYSCALLS_COMMON(X)                                                                                          \
    X(424, pidfd_send_signal, pass, fd, sig, in(S::siginfo), hex)                                                             \
    X(425, io_uring_setup, enosys("submissions hold addresses and the host's epoll_event"), num, unchecked)                   \
    X(426, io_uring_enter, enosys("see io_uring_setup"), fd, num, num, hex, in(S::bytes, by(5)), size)                        \
    X(427, io_uring_register, enosys("see io_uring_setup"), fd, num, unchecked, num)                                          \
    X(428, open_tree, pass, dirfd, path, hex)                                                                                 \
    X(429, move_mount, pass, dirfd, path, dirfd, path, hex)                                                                   \
    X(430, fsopen, pass, string, hex)                                                                                         \
    X(431, fsconfig, pass, fd, num, string, unchecked, num)                                                                   \
    X(432, fsmount, pass, fd, hex, hex)                                                                                       \
    X(433, fspick, pass, dirfd, path, hex)                                                                                    \
    X(434, pidfd_open, pass, num, flags(F::open))                                                                             \
    X(435, clone3, own, in(S::bytes, by(1)), size)                                                                            \
    X(436, close_range, own, num, num, flags(F::close_range))                                                                 \
    X(437, openat2, own, dirfd, path, in(S::bytes, by(3)), size)                                                              \
    X(438, pidfd_getfd, pass, fd, fd, hex)                                                                                    \
    X(439, faccessat2, pass, dirfd, lookup, flags(F::access), flags(F::at))                                                   \
    X(440, process_madvise, own, fd, in(S::iovec, by(2)), size, flags(F::madvise), hex)                                       \
    X(441, epoll_pwait2, own, fd, out(S::epoll_event, by(2)), num, in(S::timespec), in(S::sigset), size)                      \
    X(442, mount_setattr, pass, dirfd, path, flags(F::at), in(S::bytes, by(4)), size)                                         \
    X(443, quotactl_fd, pass, fd, hex, num, unchecked)                                                                        \
    X(444, landlock_create_ruleset, pass, in(S::bytes, by(1)), size, hex)                                                     \
    X(445, landlock_add_rule, pass, fd, num, unchecked, hex)                                                                  \
    X(446, landlock_restrict_self, pass, fd, hex)                                                                             \
    X(447, memfd_secret, enosys("as a kernel without secret memory"), flags(F::open))                                         \
    X(448, process_mrelease, pass, fd, hex)                                                                                   \
    X(449, futex_waitv, pass, in(S::futex_waitv, by(1)), num, hex, in(S::timespec), flags(F::clock))                          \
    X(450, set_mempolicy_home_node, own, address, size, num, hex)                                                             \
    X(451, cachestat, pass, fd, in(S::cachestat_range), out(S::cachestat), hex)                                               \
    X(452, fchmodat2, pass, dirfd, path, mode, flags(F::at))                                                                  \
    X(453, map_shadow_stack, enosys("Zicfiss is not implemented"), address, size, hex)                                        \
    X(454, futex_wake, pass, inout(S::u32), hex, num, hex)                                                                    \
    X(455, futex_wait, pass, inout(S::u32), hex, hex, hex, in(S::timespec), flags(F::clock))                                  \
    X(456, futex_requeue, pass, in(S::futex_waitv, times(2)), hex, num, num)                                                  \
    X(457, statmount, pass, unchecked, out(S::bytes, by(2)), size, hex)                                                       \
    X(458, listmount, pass, unchecked, out(S::u64, by(2)), size, hex)                                                         \
    X(459, lsm_get_self_attr, pass, num, unchecked, inout(S::u32), hex)                                                       \
    X(460, lsm_set_self_attr, pass, num, in(S::bytes, by(2)), num, hex)                                                       \
    X(461, lsm_list_modules, pass, unchecked, inout(S::u32), hex)                                                             \
    X(462, mseal, own, address, size, hex)                                                                                    \
    /* The fifth argument points to a value, its size and flags. */                                                           \
    X(463, setxattrat, own, dirfd, path, flags(F::at), string, in(S::bytes, by(5)), size)                                     \
    X(464, getxattrat, own, dirfd, path, flags(F::at), string, in(S::bytes, by(5)), size)                                     \
    X(465, listxattrat, pass, dirfd, path, flags(F::at), out(S::bytes, by(4)), size)                                          \
    X(466, removexattrat, pass, dirfd, path, flags(F::at), string)                                                            \
    X(467, open_tree_attr, pass, dirfd, path, hex, in(S::bytes, by(4)), size)                                                 \
    X(468, file_getattr, pass, dirfd, path, out(S::bytes, by(3)), size, flags(F::at))                                         \
    X(469, file_setattr, pass, dirfd, path, in(S::bytes, by(3)), size, flags(F::at))

#define WEFT_USER_SYSCALLS(X)     \
    WEFT_USER_SYSCALLS_GENERIC(X) \
    WEFT_USER_SYSCALLS_RISCV(X)   \
    WEFT_USER_SYSCALLS_COMMON(X)
// clang-format on

}  // namespace weft::user
