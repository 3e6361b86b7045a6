// Signals: handlers, masks, stacks, queues, restarts, and the state that faults leave.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "say.h"

static volatile int count;
static siginfo_t last;
static void note(int signal, siginfo_t* info, void* context) {
    (void)signal;
    (void)context;
    ++count;
    last = *info;
}

static void handle(int signal, int flags) {
    struct sigaction action = {.sa_flags = SA_SIGINFO | flags};
    action.sa_sigaction = note;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
}

static void basics(void) {
    handle(SIGUSR1, 0);
    raise(SIGUSR1);
    SAY("raise", "%d, signal %d, code %d, own %d", count, last.si_signo, last.si_code, last.si_pid == getpid());
    union sigval value = {.sival_int = 77};
    sigqueue(getpid(), SIGUSR1, value);
    SAY("queue", "%d, code %d, value %d", count, last.si_code, last.si_value.sival_int);
    struct sigaction old;
    sigaction(SIGUSR1, NULL, &old);
    SAY("flags", "%x", old.sa_flags & ~0x04000000);
    CALL(sigaction(SIGKILL, &old, NULL));
    CALL(sigaction(65, &old, NULL));
    handle(SIGUSR1, SA_RESETHAND | SA_NODEFER);
    raise(SIGUSR1);
    sigaction(SIGUSR1, NULL, &old);
    SAY("reset", "%d", old.sa_handler == SIG_DFL);
}

static void masks(void) {
    sigset_t blocked, old, pending;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigaddset(&blocked, SIGKILL);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    handle(SIGUSR2, 0);
    count = 0;
    raise(SIGUSR2);
    raise(SIGUSR2);
    sigpending(&pending);
    SAY("pending", "%d %d", count, sigismember(&pending, SIGUSR2));
    sigprocmask(SIG_SETMASK, &old, NULL);
    SAY("opened", "%d", count);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    raise(SIGUSR2);
    sigset_t none;
    sigemptyset(&none);
    CALL(sigsuspend(&none));
    SAY("suspended", "%d", count);
    raise(SIGUSR2);
    siginfo_t info;
    SAY("wait", "%d", sigwaitinfo(&blocked, &info));
    struct timespec now = {0, 0};
    SAY("wait for nothing", "%s", result(sigtimedwait(&blocked, &info, &now)));
    int fd = signalfd(-1, &blocked, SFD_NONBLOCK);
    struct signalfd_siginfo read_info;
    SAY("signalfd", "%s", result(read(fd, &read_info, sizeof(read_info))));
    raise(SIGUSR2);
    CALL(read(fd, &read_info, sizeof(read_info)));
    SAY("signalfd", "%d", (int)read_info.ssi_signo);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    raise(SIGUSR2);
    SAY("ppoll", "%s", result(ppoll(&poll_fd, 1, NULL, &none)));
    SAY("after it", "%d", count);
    sigprocmask(SIG_SETMASK, &old, NULL);
    SAY("in the end", "%d", count);
}

static int order[200];
static int place;
static void in_order(int signal, siginfo_t* info, void* context) {
    (void)context;
    if (place < 200) {
        order[place++] = signal * 1000 + info->si_value.sival_int;
    }
}

static void queues(void) {
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = in_order;
    sigfillset(&action.sa_mask);
    for (int signal = SIGRTMAX; signal >= SIGRTMIN; --signal) {
        sigaction(signal, &action, NULL);
        for (int i = 0; i < 4; ++i) {
            union sigval value = {.sival_int = i};
            sigqueue(getpid(), signal, value);
        }
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    int right = 1;
    for (int i = 0; i < place; ++i) {
        right = right && order[i] == (SIGRTMIN + i / 4) * 1000 + i % 4;
    }
    SAY("queues", "%d %d", place == 4 * (SIGRTMAX - SIGRTMIN + 1), right);
}

static char stack_bytes[65536];
static int on_stack;
static void look_at_stack(int signal) {
    (void)signal;
    char here;
    on_stack = &here >= stack_bytes && &here < stack_bytes + sizeof(stack_bytes);
    stack_t now;
    sigaltstack(NULL, &now);
    on_stack += 10 * (now.ss_flags == SS_ONSTACK);
    stack_t other = {.ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes)};
    on_stack += sigaltstack(&other, NULL) == -1 && errno == EPERM ? 100 : 0;
}

static void stacks(void) {
    stack_t stack = {.ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes)};
    CALL(sigaltstack(&stack, NULL));
    struct sigaction action = {.sa_flags = SA_ONSTACK};
    action.sa_handler = look_at_stack;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    SAY("on the stack", "%d", on_stack);
    stack.ss_size = 100;
    CALL(sigaltstack(&stack, NULL));
    stack.ss_flags = 12345;
    CALL(sigaltstack(&stack, NULL));
    stack.ss_flags = SS_DISABLE;
    CALL(sigaltstack(&stack, NULL));
}

static sigjmp_buf back;
static siginfo_t fault;
static void jump(int signal, siginfo_t* info, void* context) {
    (void)context;
    fault = *info;
    siglongjmp(back, signal);
}

static void say_fault(const char* what, int signal, const void* expected) {
    SAY(what, "signal %d code %d address %s", signal, fault.si_code, fault.si_addr == expected ? "right" : "wrong");
}

static void faults(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = jump;
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    char* pages = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 4096, 4096);
    int signal;
    if ((signal = sigsetjmp(back, 1)) == 0) {
        *(volatile char*)(pages + 5) = 1;
    } else {
        say_fault("read-only", signal, pages + 5);
    }
    if ((signal = sigsetjmp(back, 1)) == 0) {
        (void)*(volatile char*)(pages + 4096 + 7);
    } else {
        say_fault("nothing there", signal, pages + 4096 + 7);
    }
    if ((signal = sigsetjmp(back, 1)) == 0) {
        (void)*(volatile char*)0;
    } else {
        say_fault("null", signal, NULL);
    }
    int fd = memfd_create("x", 0);
    char* file = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if ((signal = sigsetjmp(back, 1)) == 0) {
        (void)*(volatile char*)(file + 3);
    } else {
        say_fault("behind a file", signal, file + 3);
    }
    // Code without the right to run.
    if ((signal = sigsetjmp(back, 1)) == 0) {
        ((void (*)(void))(void*)pages)();
    } else {
        say_fault("no code", signal, pages);
    }
    CALL(write(1, pages + 4096, 1));
    CALL(read(fd, pages, 1));
}

// A call that waits, and what lets it return without a signal, if anything does. The signal comes again and again: the first may be
// there before the call waits.
struct interrupted {
    const char* what;
    long (*call)(void);
    void (*end)(void);
};

static int pipe_ends[2];
static pid_t child;
static long reads(void) {
    char byte;
    return read(pipe_ends[0], &byte, 1);
}
static void writes(void) { (void)!write(pipe_ends[1], "x", 1); }
static long sleeps(void) {
    const struct timespec time = {3600, 0};
    return nanosleep(&time, NULL);
}
static long polls(void) { return poll(NULL, 0, 3600000); }
static long waits(void) { return waitpid(child, NULL, 0); }
static void ends_child(void) { kill(child, SIGKILL); }

static const struct interrupted interrupted[] = {
    {"read", reads, writes}, {"nanosleep", sleeps, NULL}, {"poll", polls, NULL}, {"waitpid", waits, ends_child}};

struct killer {
    pthread_t thread;
    void (*end)(void);  // after some signals
    atomic_int returned;
};
static void* kills(void* argument) {
    struct killer* const killer = argument;
    for (int sent = 0; !killer->returned; ++sent) {
        usleep(20000);
        pthread_kill(killer->thread, SIGUSR1);
        if (sent == 3 && killer->end != NULL) {
            usleep(20000);
            killer->end();
        }
    }
    return NULL;
}

static void restart(const struct interrupted* which, int flags) {
    handle(SIGUSR1, flags);
    count = 0;
    struct killer killer = {pthread_self(), flags != 0 ? which->end : NULL, 0};
    pthread_t thread;
    pthread_create(&thread, NULL, kills, &killer);
    errno = 0;
    const long value = which->call();
    const int error = errno;
    killer.returned = 1;
    pthread_join(thread, NULL);
    SAY(which->what, "%s %s, handled %d", flags != 0 ? "restart" : "no restart",
        value == -1 ? strerrorname_np(error) : "a value", count > 0);
}

static void restarts(void) {
    if (pipe(pipe_ends) != 0) {
        abort();
    }
    for (int flags = 0; flags >= 0; flags = flags == 0 ? SA_RESTART : -1) {
        child = fork();
        if (child == 0) {
            for (;;) {
                pause();
            }
        }
        for (size_t i = 0; i < sizeof(interrupted) / sizeof(interrupted[0]); ++i) {
            restart(&interrupted[i], flags);
        }
        ends_child();
        waitpid(child, NULL, 0);
    }
}

static void timers(void) {
    handle(SIGALRM, 0);
    count = 0;
    struct itimerval once = {.it_value = {0, 1000}};
    setitimer(ITIMER_REAL, &once, NULL);
    while (count == 0) {
    }
    SAY("a timer under a loop", "%d", count);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value = {.sival_int = 5}};
    handle(SIGUSR1, 0);
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    struct itimerspec soon = {.it_value = {0, 1000000}};
    count = 0;
    timer_settime(timer, 0, &soon, NULL);
    while (count == 0) {
        pause();
    }
    SAY("timer", "code %d value %d", last.si_code, last.si_value.sival_int);
}

static void* blocked_thread(void* unused) {
    (void)unused;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    int signal = 0;
    sigwait(&set, &signal);
    return (void*)(long)signal;
}

static void directed(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, blocked_thread, NULL);
    pthread_kill(thread, SIGUSR1);
    void* signal;
    pthread_join(thread, &signal);
    SAY("directed", "%ld", (long)signal);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void fatal(void) {
    const int kinds[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS};
    for (unsigned i = 0; i < 4; ++i) {
        // Blocked, a fault kills all the same.
        const pid_t child = fork();
        if (child == 0) {
            close(2);
            sigset_t all;
            sigfillset(&all);
            sigprocmask(SIG_SETMASK, &all, NULL);
            signal(kinds[i], SIG_IGN);
            if (kinds[i] == SIGSEGV) {
                *(volatile int*)8 = 1;
            } else {
                signal(kinds[i], SIG_DFL);
                sigemptyset(&all);
                sigprocmask(SIG_SETMASK, &all, NULL);
                raise(kinds[i]);
            }
            _exit(1);
        }
        say_end("fatal", wait_for(child));
    }
}

int main(void) {
    basics();
    masks();
    queues();
    stacks();
    faults();
    restarts();
    timers();
    directed();
    fatal();
    return 0;
}
