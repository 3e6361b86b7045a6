// What a process keeps over execve(2) and fork(2), and what it loses: one row of the tables there for each line.
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "say.h"

static char self[PATH_MAX];

// Those that come to a processor's exceptions as well, and others; each is sent, and each is ignored, by some programs.
static const int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGUSR1, SIGPIPE, SIGCHLD, SIGALRM, SIGSYS};
enum { kCount = sizeof(kSignals) / sizeof(kSignals[0]) };

static void nothing(int signal) { (void)signal; }

static void say_signals(const char* what) {
    sigset_t mask;
    sigset_t pending;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigpending(&pending);
    for (int i = 0; i < kCount; ++i) {
        struct sigaction action;
        sigaction(kSignals[i], NULL, &action);
        SAY(what, "signal %d: blocked %d, pending %d, %s, flags %x", kSignals[i], sigismember(&mask, kSignals[i]),
            sigismember(&pending, kSignals[i]),
            action.sa_handler == SIG_IGN ? "ignored" : (action.sa_handler == SIG_DFL ? "default" : "handler"),
            (unsigned)action.sa_flags & (SA_NOCLDSTOP | SA_RESTART | SA_ONSTACK));
    }
}

// What waits, in the order in which it is taken.
static void take_pending(const char* what) {
    sigset_t all;
    sigfillset(&all);
    siginfo_t info;
    const struct timespec at_once = {0, 0};
    int signal = 0;
    while ((signal = sigtimedwait(&all, &info, &at_once)) > 0) {
        SAY(what, "took %d: code %d, value %d", signal, info.si_code, info.si_code == SI_QUEUE ? info.si_value.sival_int : 0);
    }
}

static void block_all(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

static void queue_all(void) {
    for (int i = 0; i < kCount; ++i) {
        sigqueue(getpid(), kSignals[i], (union sigval){.sival_int = 100 + i});
    }
    for (int i = 0; i < 3; ++i) {
        sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = i});
    }
}

// ---- before and after: the same number is that of a row ----

static void set_pending(void) {
    block_all();
    queue_all();
}
static void say_pending(void) {
    say_signals("waiting");
    take_pending("waiting");
}

static void set_ignored(void) {
    for (int i = 0; i < kCount; ++i) {
        signal(kSignals[i], SIG_IGN);
    }
}
static void say_ignored(void) { say_signals("ignored"); }

// The C library's own two, which it does not let a program touch: by the kernel's calls.
static const int kReserved[] = {32, 33};
static void set_reserved(void) {
    // struct sigaction of the kernel: the handler is its first word, and what follows differs.
    const unsigned long ignore[4] = {(unsigned long)SIG_IGN, 0, 0, 0};
    const uint64_t both = (uint64_t)3 << 31;
    for (int i = 0; i < 2; ++i) {
        syscall(SYS_rt_sigaction, kReserved[i], ignore, NULL, sizeof(uint64_t));
    }
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &both, NULL, sizeof(both));
}
static void say_reserved(void) {
    uint64_t mask = 0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask));
    for (int i = 0; i < 2; ++i) {
        unsigned long action[4] = {0};
        syscall(SYS_rt_sigaction, kReserved[i], NULL, action, sizeof(uint64_t));
        SAY("reserved", "signal %d: blocked %d, %s", kReserved[i], (int)(mask >> (kReserved[i] - 1)) & 1,
            action[0] == (unsigned long)SIG_IGN ? "ignored" : (action[0] == (unsigned long)SIG_DFL ? "default" : "handler"));
    }
}

static void set_handled(void) {
    for (int i = 0; i < kCount; ++i) {
        struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART | SA_ONSTACK | SA_NOCLDSTOP};
        sigaction(kSignals[i], &action, NULL);
    }
    sigset_t some;
    sigemptyset(&some);
    sigaddset(&some, SIGSEGV);
    sigaddset(&some, SIGUSR1);
    sigprocmask(SIG_SETMASK, &some, NULL);
    raise(SIGSEGV);
    raise(SIGUSR1);
}
static void say_handled(void) {
    say_signals("handled");
    take_pending("handled");
}

// The kernel drops them.
static void set_dropped(void) {
    block_all();
    queue_all();
    for (int i = 0; i < kCount; ++i) {
        signal(kSignals[i], SIG_IGN);
    }
}
static void say_dropped(void) {
    say_signals("dropped");
    take_pending("dropped");
}

static void set_nothing(void) {}

static void set_stack(void) {
    static char memory[65536];
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory), .ss_flags = 0};
    sigaltstack(&stack, NULL);
}
static void say_stack(void) {
    stack_t stack;
    sigaltstack(NULL, &stack);
    SAY("alternate stack", "%x %zu", (unsigned)stack.ss_flags, stack.ss_size);
}

static timer_t timer;
static void set_timers(void) {
    const struct itimerval long_time = {.it_interval = {5000, 0}, .it_value = {100000, 0}};
    setitimer(ITIMER_REAL, &long_time, NULL);
    setitimer(ITIMER_VIRTUAL, &long_time, NULL);
    setitimer(ITIMER_PROF, &long_time, NULL);
    timer_create(CLOCK_MONOTONIC, NULL, &timer);
    const struct itimerspec spec = {.it_interval = {0, 0}, .it_value = {100000, 0}};
    timer_settime(timer, 0, &spec, NULL);
    prctl(PR_SET_TIMERSLACK, 123456, 0, 0, 0);
}
static void say_timers(void) {
    for (int which = ITIMER_REAL; which <= ITIMER_PROF; ++which) {
        struct itimerval now;
        getitimer(which, &now);
        SAY("itimer", "%d: %d, every %ld", which, now.it_value.tv_sec > 50000, (long)now.it_interval.tv_sec);
    }
    struct itimerspec spec;
    SAY("timer", "%s", result(syscall(SYS_timer_gettime, 0, &spec)));
    SAY("timer slack", "%d", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
}

static void set_files(void) {
    umask(027);
    dup3(1, 100, O_CLOEXEC);
    dup2(1, 101);
    const int file = open("locked", O_RDWR | O_CREAT, 0600);
    dup2(file, 102);
    dup3(file, 103, O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 3, .l_len = 4};
    fcntl(102, F_SETLK, &lock);
    lseek(102, 17, SEEK_SET);
    mkdir("folder", 0700);
    if (chdir("folder") != 0) {
        perror("folder");
    }
}
static void say_files(void) {
    SAY("umask", "%o", umask(0));
    for (int fd = 100; fd < 104; ++fd) {
        SAY("descriptor", "%d: %s", fd, result(fcntl(fd, F_GETFD)));
    }
    SAY("offset", "%ld", (long)lseek(102, 0, SEEK_CUR));
    // The lock is seen by another process. Of the old one's, closing descriptor 103 took it away: fcntl_locking(2).
    const pid_t pid = fork();
    if (pid == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        fcntl(102, F_GETLK, &lock);
        _exit(lock.l_type == F_UNLCK ? 0 : 1);
    }
    say_end("lock", wait_for(pid));
    SAY("folder", "%d", access("../folder", F_OK));
}

static void set_prctl(void) {
    prctl(PR_SET_NAME, "another name", 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGUSR2, 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}
static void say_prctl(void) {
    char name[17] = "";
    prctl(PR_GET_NAME, name, 0, 0, 0);
    // The programs' own differ in how they end.
    *strchrnul(name, '.') = '\0';
    SAY("name", "%s", name);
    int signal = -1;
    prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0);
    SAY("signal at the parent's death", "%d", signal);
    SAY("no new privileges", "%d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SAY("dumpable", "%d", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    int reaper = -1;
    prctl(PR_GET_CHILD_SUBREAPER, &reaper, 0, 0, 0);
    SAY("subreaper", "%d", reaper);
    SAY("keeps capabilities", "%d", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
    SAY("huge pages off", "%d", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
}

static void set_limits(void) {
    // Of core files: what the runtime of a sanitizer that weft is built with makes of a larger one, as the executed weft starts.
    static const struct {
        int kind;
        rlim_t wanted;
    } limits[] = {{RLIMIT_AS, (rlim_t)4 << 30},    {RLIMIT_DATA, (rlim_t)5 << 30},  {RLIMIT_STACK, (rlim_t)6 << 30}, {RLIMIT_NOFILE, 200},
                  {RLIMIT_CORE, 1}, {RLIMIT_FSIZE, (rlim_t)9 << 30}, {RLIMIT_RTPRIO, (rlim_t)10 << 30}};
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); ++i) {
        const rlim_t wanted = limits[i].wanted;
        struct rlimit limit;
        getrlimit(limits[i].kind, &limit);
        if (limit.rlim_max > wanted) {
            limit.rlim_cur = wanted;
            limit.rlim_max = limit.rlim_max > 2 * wanted ? 2 * wanted : limit.rlim_max;
            setrlimit(limits[i].kind, &limit);
        }
    }
}
static void say_limits(void) {
    for (int kind = 0; kind < RLIM_NLIMITS; ++kind) {
        struct rlimit limit;
        getrlimit(kind, &limit);
        SAY("limit", "%d: %llx %llx", kind, (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    }
}

static void write_text(const char* name, const char* text) {
    const int fd = open(name, O_WRONLY);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) {
        perror(name);
    }
    close(fd);
}

static void set_scheduling(void) {
    setpriority(PRIO_PROCESS, 0, 7);
    const struct sched_param none = {.sched_priority = 0};
    sched_setscheduler(0, SCHED_BATCH, &none);
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    sched_setaffinity(0, sizeof(cpus), &cpus);
    syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6);
    write_text("/proc/self/oom_score_adj", "321");
}
static void say_scheduling(void) {
    SAY("nice", "%d", getpriority(PRIO_PROCESS, 0));
    SAY("policy", "%d", sched_getscheduler(0));
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof(cpus), &cpus);
    SAY("processors", "%d %d", CPU_COUNT(&cpus), CPU_ISSET(0, &cpus));
    SAY("I/O priority", "%ld", syscall(SYS_ioprio_get, 1, 0));
    char text[16] = "";
    const int fd = open("/proc/self/oom_score_adj", O_RDONLY);
    if (read(fd, text, sizeof(text) - 1) < 0) {
        perror("oom_score_adj");
    }
    close(fd);
    SAY("OOM score", "%d", atoi(text));
}

static void set_personality(void) { personality(ADDR_NO_RANDOMIZE | STICKY_TIMEOUTS | SHORT_INODE); }
static void say_personality(void) { SAY("personality", "%x", (unsigned)personality(0xffffffff)); }

static void set_memory(void) {
    mlockall(MCL_FUTURE);
    char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(page, 1, 4096);
}
static void say_memory(void) {
    char line[256];
    FILE* status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, "VmLck:", 6) == 0) {
            SAY("locked", "%d", atoi(line + 6));
        }
    }
    fclose(status);
}

static const struct {
    const char* name;
    void (*set)(void);
    void (*say)(void);
} kRows[] = {
    {"pending", set_pending, say_pending},    {"ignored", set_ignored, say_ignored},
    {"handled", set_handled, say_handled},    {"dropped", set_dropped, say_dropped},
    {"reserved", set_reserved, say_reserved},
    {"untouched", set_nothing, say_pending},  {"stack", set_stack, say_stack},
    {"timers", set_timers, say_timers},       {"files", set_files, say_files},
    {"prctl", set_prctl, say_prctl},          {"limits", set_limits, say_limits},
    {"scheduling", set_scheduling, say_scheduling}, {"personality", set_personality, say_personality},
    {"memory", set_memory, say_memory},
};
enum { kRowCount = sizeof(kRows) / sizeof(kRows[0]) };

static void execute(int row) {
    char number[16];
    snprintf(number, sizeof(number), "%d", row);
    char* arguments[] = {self, number, NULL};
    char* variables[] = {NULL};
    execve(self, arguments, variables);
    _exit(99);
}

// By each way that makes a process: what the child says at once, and what a program says that it executes.
static void over_exec(int row) {
    const pid_t pid = fork();
    if (pid == 0) {
        kRows[row].set();
        execute(row);
    }
    say_end(kRows[row].name, wait_for(pid));
}

static void over_fork(int row) {
    const pid_t pid = fork();
    if (pid == 0) {
        kRows[row].set();
        const pid_t inner = fork();
        if (inner == 0) {
            kRows[row].say();
            _exit(7);
        }
        say_end("forked", wait_for(inner));
        if (kRows[row].say == say_pending || kRows[row].say == say_handled) {
            kRows[row].say();  // the parent's are the parent's
        }
        _exit(8);
    }
    say_end(kRows[row].name, wait_for(pid));
}

// The child of vfork has the parent's mask and nothing that waits for the parent, which has it afterwards.
static void over_vfork(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        set_pending();
        const pid_t inner = vfork();
        if (inner == 0) {
            execute(0);
        }
        say_end("vforked", wait_for(inner));
        say_pending();
        _exit(9);
    }
    say_end("vfork", wait_for(pid));
}

// What is sent to a parent that sleeps in vfork comes when it wakes.
static void sent_in_vfork(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        block_all();
        const pid_t inner = vfork();
        if (inner == 0) {
            sigqueue(getppid(), SIGSEGV, (union sigval){.sival_int = 5});
            sigqueue(getppid(), SIGUSR1, (union sigval){.sival_int = 6});
            sigset_t pending;
            sigpending(&pending);
            _exit(sigismember(&pending, SIGSEGV) + 2 * sigismember(&pending, SIGUSR1));
        }
        say_end("sent from vfork", wait_for(inner));
        take_pending("sent from vfork");
        _exit(10);
    }
    say_end("sent in vfork", wait_for(pid));
}

// An execve that fails changes nothing.
static void failing(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        set_pending();
        signal(SIGBUS, SIG_IGN);
        char* none[] = {NULL};
        execve("./none", none, none);
        static char huge[200000];
        memset(huge, 'x', sizeof(huge) - 1);
        char* arguments[] = {huge, NULL};
        execve(self, arguments, none);
        say_pending();
        _exit(11);
    }
    say_end("failing", wait_for(pid));
}

int main(int argc, char** argv) {
    if (argc > 1) {
        kRows[atoi(argv[1])].say();
        return 12;
    }
    const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    SAY("self", "%d", length > 0 && access(self, X_OK) == 0);
    for (int row = 0; row < kRowCount; ++row) {
        over_exec(row);
        over_fork(row);
    }
    over_vfork();
    sent_in_vfork();
    failing();
    return 0;
}
