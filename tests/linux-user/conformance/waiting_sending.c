// Who is told what of whom: waitid and what it says of ends and stops, usage of children, descriptors of processes, signals with
// values, clone3 at its corners.
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "say.h"

enum { kPidfd = 3, kMrelease = 448 };  // P_PIDFD, process_mrelease

static pid_t child_that(int how) {
    const pid_t child = fork();
    if (child == 0) {
        if (how < 0) {
            kill(getpid(), -how);
            while (1) {
                pause();
            }
        }
        _exit(how);
    }
    return child;
}

static void say_info(const char* what, const siginfo_t* info, pid_t child) {
    SAY(what, "signal %d code %d status %d %s %d", info->si_signo, info->si_code, info->si_status,
        info->si_pid == child ? "child" : info->si_pid == 0 ? "none" : "other", info->si_uid == getuid());
}

static long wait_id(int type, long id, siginfo_t* info, int options, struct rusage* usage) {
    return syscall(SYS_waitid, type, id, info, options, usage);
}

static void waiting(void) {
    siginfo_t info;
    struct rusage usage;
    memset(&usage, 0x5a, sizeof(usage));
    pid_t child = child_that(7);
    CALL(wait_id(P_PID, child, &info, WEXITED | WNOWAIT, &usage));
    say_info("still there", &info, child);
    SAY("usage", "%d %d", usage.ru_maxrss > 0, usage.ru_utime.tv_sec == 0);
    CALL(wait_id(P_PID, child, &info, WEXITED, NULL));
    say_info("exit", &info, child);
    CALL(wait_id(P_PID, child, &info, WEXITED, NULL));
    child = child_that(-SIGSTOP);
    CALL(wait_id(P_ALL, 0, &info, WSTOPPED, NULL));
    say_info("stop", &info, child);
    memset(&info, 0x5a, sizeof(info));
    CALL(wait_id(P_ALL, 0, &info, WEXITED | WNOHANG, NULL));
    say_info("nothing", &info, child);
    CALL(kill(child, SIGCONT));
    CALL(wait_id(P_PID, child, &info, WCONTINUED, NULL));
    say_info("goes on", &info, child);
    CALL(kill(child, SIGTERM));
    CALL(wait_id(P_PGID, getpgrp(), &info, WEXITED, &usage));
    say_info("killed", &info, child);
    CALL(wait_id(P_ALL, 0, &info, WEXITED, NULL));
    CALL(wait_id(P_ALL, 0, &info, 0, NULL));
    CALL(wait_id(99, 0, &info, WEXITED, NULL));
    child = child_that(3);
    CALL(wait_id(P_PID, child, nowhere, WEXITED, NULL));
    child = child_that(3);
    CALL(wait_id(P_PID, child, NULL, WEXITED, NULL));
    int status = 0;
    child = child_that(9);
    CALL(wait4(child, &status, 0, &usage) == child);
    say_end("wait4", status);
    CALL(wait4(-1, &status, 0x4000, NULL));
    child = child_that(9);
    CALL(wait4(child, nowhere, 0, NULL) == child ? 0 : -1);
    CALL(getrusage(RUSAGE_CHILDREN, &usage));
    SAY("usage of children", "%d %d", usage.ru_maxrss > 0, usage.ru_minflt > 0);
    CALL(getrusage(RUSAGE_THREAD, &usage));
}

static void process_descriptors(void) {
    siginfo_t info;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    const int fd = (int)syscall(SYS_pidfd_open, child, 0);
    SAY("descriptor", "%d %d", fd >= 0, fcntl(fd, F_GETFD));
    CALL(syscall(SYS_pidfd_open, child, 0x1234));
    CALL(syscall(SYS_pidfd_open, -1, 0));
    CALL(syscall(SYS_pidfd_open, 0x7fffffff, 0));
    struct pollfd poll_of = {.fd = fd, .events = POLLIN};
    CALL(poll(&poll_of, 1, 0));
    const int standard_output = (int)syscall(SYS_pidfd_getfd, fd, 1, 0);
    SAY("its output", "%d", standard_output >= 0);
    CALL(syscall(SYS_pidfd_getfd, fd, 999, 0));
    CALL(syscall(SYS_pidfd_getfd, 0, 1, 0));
    CALL(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    CALL(syscall(SYS_pidfd_send_signal, fd, 999, NULL, 0));
    CALL(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, nowhere, 0));
    memset(&info, 0, sizeof(info));
    info.si_signo = SIGUSR1;
    info.si_code = SI_QUEUE;
    CALL(syscall(SYS_pidfd_send_signal, fd, SIGUSR2, &info, 0));
    info.si_code = SI_USER;
    CALL(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &info, 0));
    CALL(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
    CALL(poll(&poll_of, 1, -1));
    SAY("events", "%x", poll_of.revents);
    const long released = syscall(kMrelease, fd, 0);
    SAY("released", "%d", released == 0 || errno == ENOSYS || errno == ESRCH || errno == EINVAL);
    CALL(wait_id(kPidfd, fd, &info, WEXITED, NULL));
    say_info("by descriptor", &info, child);
    CALL(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    CALL(wait_id(kPidfd, fd, &info, WEXITED, NULL));
    close(fd);
    close(standard_output);
}

static int received;
static siginfo_t last;

static void on_signal(int signal, siginfo_t* info, void* context) {
    (void)context;
    received = signal;
    last = *info;
}

static void say_last(const char* what) {
    SAY(what, "%d errno %d code %d from %d %d value %lx", received, last.si_errno, last.si_code, last.si_pid == getpid(),
        last.si_uid == getuid(), (unsigned long)last.si_value.sival_ptr);
    received = 0;
    memset(&last, 0, sizeof(last));
}

static void sending(void) {
    const struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGRTMIN, &action, NULL);
    sigaction(SIGCHLD, &action, NULL);
    CALL(kill(getpid(), SIGUSR1));
    say_last("kill");
    CALL(syscall(SYS_tkill, gettid(), SIGUSR1));
    say_last("tkill");
    CALL(syscall(SYS_tgkill, getpid(), gettid(), SIGRTMIN));
    say_last("tgkill");
    CALL(syscall(SYS_tkill, -1, SIGUSR1));
    CALL(syscall(SYS_tkill, gettid(), 65));
    CALL(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_ptr = (void*)0x123456789abc}));
    say_last("sigqueue");
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    info.si_signo = SIGUSR1;
    info.si_errno = 77;
    info.si_code = -20;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = (void*)0xfedcba987654;
    CALL(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, &info));
    say_last("own code");
    info.si_code = SI_TKILL;
    CALL(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, &info));
    say_last("as tkill, to itself");
    info.si_code = SI_QUEUE;
    CALL(syscall(SYS_rt_sigqueueinfo, getpid(), 65, &info));
    CALL(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, nowhere));
    CALL(syscall(SYS_rt_tgsigqueueinfo, getpid(), -1, SIGUSR1, &info));
    // What a sender may not say of itself, to another.
    const pid_t child = child_that(-SIGSTOP);
    info.si_code = SI_USER;
    CALL(syscall(SYS_rt_sigqueueinfo, child, SIGUSR1, &info));
    waitpid(child, NULL, WUNTRACED);
    SAY("stopped", "%d code %d status %d", received, last.si_code, last.si_status);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    SAY("killed", "%d code %d status %d %d", received, last.si_code, last.si_status, last.si_pid == child);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    CALL(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = -5}));
    CALL(sigtimedwait(&set, &info, &(struct timespec){0}) == SIGRTMIN);
    SAY("waited", "%d %d %d", info.si_code, info.si_int, info.si_pid == getpid());
    CALL(sigtimedwait(&set, &info, &(struct timespec){0}));
}

static long clone3(struct clone_args* args, size_t size) {
    const long child = syscall(SYS_clone3, args, size);
    if (child == 0) {
        _exit(5);
    }
    return child;
}

static void corners_of_clone3(void) {
    struct clone_args args = {.exit_signal = SIGCHLD};
    CALL(clone3(&args, 8));
    CALL(clone3(&args, 5000));
    CALL(clone3(nowhere, sizeof(args)));
    long child = clone3(&args, 64);
    SAY("first version", "%d", child > 0);
    say_end("its end", wait_for((pid_t)child));
    args.exit_signal = 65;
    CALL(clone3(&args, sizeof(args)));
    args = (struct clone_args){.exit_signal = SIGCHLD, .stack = 4096};
    CALL(clone3(&args, sizeof(args)));
    args = (struct clone_args){.exit_signal = SIGCHLD, .stack_size = 4096};
    CALL(clone3(&args, sizeof(args)));
    args = (struct clone_args){.exit_signal = SIGCHLD, .flags = 0x10};
    CALL(clone3(&args, sizeof(args)));
    args = (struct clone_args){.exit_signal = SIGCHLD, .flags = CLONE_THREAD};
    CALL(clone3(&args, sizeof(args)));
    args = (struct clone_args){.exit_signal = SIGCHLD, .flags = CLONE_SIGHAND};
    CALL(clone3(&args, sizeof(args)));
    args = (struct clone_args){.exit_signal = SIGCHLD, .flags = CLONE_FS | CLONE_NEWNS};
    CALL(clone3(&args, sizeof(args)));
    args = (struct clone_args){.exit_signal = SIGCHLD, .flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM};
    CALL(clone3(&args, sizeof(args)));
    args = (struct clone_args){.exit_signal = SIGCHLD, .set_tid = 8, .set_tid_size = 40};
    CALL(clone3(&args, sizeof(args)));
    args = (struct clone_args){.exit_signal = SIGCHLD, .set_tid_size = 1};
    CALL(clone3(&args, sizeof(args)));
    args = (struct clone_args){.exit_signal = SIGCHLD, .flags = 0x40};
    CALL(clone3(&args, sizeof(args)));
    // Its flag is a bit of clone's signal.
    char before[64] = "";
    char after[64] = "";
    readlink("/proc/self/ns/time", before, sizeof(before) - 1) > 0 ? (void)0 : abort();
    args = (struct clone_args){.exit_signal = SIGCHLD, .flags = CLONE_NEWTIME};
    child = syscall(SYS_clone3, &args, sizeof(args));
    if (child == 0) {
        _exit(readlink("/proc/self/ns/time", after, sizeof(after) - 1) > 0 && strcmp(before, after) != 0 ? 5 : 6);
    }
    SAY("own time", "%s", child > 0 ? "there" : strerrorname_np(errno));
    if (child > 0) {
        say_end("its own", wait_for((pid_t)child));
    }
    // With actions of signals put back.
    args = (struct clone_args){.exit_signal = SIGCHLD, .flags = CLONE_CLEAR_SIGHAND};
    child = syscall(SYS_clone3, &args, sizeof(args));
    if (child == 0) {
        struct sigaction action;
        sigaction(SIGUSR1, NULL, &action);
        _exit(action.sa_handler == SIG_DFL ? 0 : 1);
    }
    SAY("cleared", "%s", child > 0 ? "there" : strerrorname_np(errno));
    if (child > 0) {
        say_end("its actions", wait_for((pid_t)child));
    }
    int fd = -1;
    pid_t told = 0;
    args = (struct clone_args){.exit_signal = SIGCHLD, .flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .pidfd = (uintptr_t)&fd,
                               .parent_tid = (uintptr_t)&told};
    child = clone3(&args, sizeof(args));
    SAY("with a descriptor", "%d %d", fd >= 0, told == child);
    siginfo_t info;
    CALL(wait_id(kPidfd, fd, &info, WEXITED, NULL));
    SAY("its status", "%d", info.si_status);
    close(fd);
    args.pidfd = (uintptr_t)nowhere;
    CALL(clone3(&args, sizeof(args)));
    CALL(waitpid(-1, NULL, 0));
    // No signal at the end: only who asks for clones is told.
    args = (struct clone_args){0};
    child = clone3(&args, sizeof(args));
    CALL(waitpid((pid_t)child, NULL, 0));
    CALL(waitpid((pid_t)child, NULL, __WCLONE) == child);
}

static int ends_with(void* argument) { return *(int*)argument; }

// By the C library's clone, with the parent waiting, as a library starts another program.
static void with_a_stack(void) {
    static char stack[64 << 10] __attribute__((aligned(16)));
    const int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
    int code = 21;
    int fd = -1;
    siginfo_t info;
    CALL(clone(ends_with, stack + sizeof(stack), flags, &code, &fd) > 0);
    CALL(fcntl(fd, F_GETFD));
    CALL(wait_id(kPidfd, fd, &info, WEXITED, NULL));
    SAY("its status", "%d", info.si_status);
    close(fd);
    CALL(clone(ends_with, stack + sizeof(stack), flags, &code, nowhere));
    CALL(waitpid(-1, NULL, 0));
    // Without a number that is free there is no child. A sanitizer that weft is built with needs descriptors of its own.
    const char* const sanitizer = getenv("WEFT_TEST_SANITIZER");
    if (sanitizer == NULL || strcmp(sanitizer, "none") == 0) {
        struct rlimit limit, few;
        getrlimit(RLIMIT_NOFILE, &limit);
        few = limit;
        few.rlim_cur = (rlim_t)dup(1);
        close((int)few.rlim_cur);
        setrlimit(RLIMIT_NOFILE, &few);
        CALL(clone(ends_with, stack + sizeof(stack), flags, &code, &fd));
        CALL(clone(ends_with, stack + sizeof(stack), CLONE_PIDFD | SIGCHLD, &code, &fd));
        setrlimit(RLIMIT_NOFILE, &limit);
        CALL(waitpid(-1, NULL, 0));
    }
    // A child of a parent that does not wait may be gone at once; its descriptor is not.
    signal(SIGCHLD, SIG_IGN);
    int there = 0;
    for (int i = 0; i < 20; ++i) {
        fd = -1;
        there += clone(ends_with, stack + sizeof(stack), CLONE_PIDFD | SIGCHLD, &code, &fd) > 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC;
        close(fd);
    }
    SAY("descriptors of what is gone", "%d", there);
    signal(SIGCHLD, SIG_DFL);
}

static void ranges(void) {
    int fds[6];
    for (int i = 0; i < 6; ++i) {
        fds[i] = dup2(1, 200 + i);
    }
    CALL(syscall(SYS_close_range, 201, 202, 0));
    SAY("closed", "%d %d %d", fcntl(fds[0], F_GETFD), fcntl(fds[1], F_GETFD), fcntl(fds[3], F_GETFD));
    CALL(syscall(SYS_close_range, 203, 203, 4 /* CLOSE_RANGE_CLOEXEC */));
    SAY("at exec", "%d %d", fcntl(fds[3], F_GETFD), fcntl(fds[4], F_GETFD));
    CALL(syscall(SYS_close_range, 204, ~0u, 2 /* CLOSE_RANGE_UNSHARE */));
    SAY("closed", "%d %d", fcntl(fds[4], F_GETFD), fcntl(fds[5], F_GETFD));
    CALL(syscall(SYS_close_range, 10, 9, 0));
    CALL(syscall(SYS_close_range, 300, 301, 8));
}

int main(void) {
    waiting();
    process_descriptors();
    sending();
    corners_of_clone3();
    with_a_stack();
    ranges();
    return 0;
}
