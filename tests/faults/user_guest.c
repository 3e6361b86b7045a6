// A program for riscv64 Linux, without a C library, of which weft's calls and allocations fail while it runs.
//
// Each of its calls may be refused for want of something: it goes on without then, and checks that nothing has changed. What memory
// is, it asks twice: by loads and stores of its own, and by calls that the kernel would make the same accesses for. At the end it
// runs itself once more, which says "right N+M": of its children, N ended with the exit code of weft's own failures or by SIGBUS, and M could not be
// waited for. What is wrong it says, with exit code 3.
//
//   user_guest            all of it
//   user_guest threads N  N times a thread, whether or not it is refused; "N refused" on the last line
#define SYS_ioctl 29
#define SYS_openat 56
#define SYS_close 57
#define SYS_pipe2 59
#define SYS_read 63
#define SYS_write 64
#define SYS_readv 65
#define SYS_exit 93
#define SYS_exit_group 94
#define SYS_futex 98
#define SYS_sched_get_priority_max 125
#define SYS_tgkill 131
#define SYS_rt_sigaction 134
#define SYS_rt_sigprocmask 135
#define SYS_getpid 172
#define SYS_gettid 178
#define SYS_brk 214
#define SYS_munmap 215
#define SYS_mremap 216
#define SYS_clone 220
#define SYS_execve 221
#define SYS_mmap 222
#define SYS_mprotect 226
#define SYS_madvise 233
#define SYS_wait4 260

enum { EINTR = 4, EAGAIN = 11, ENOMEM = 12, EFAULT = 14, EINVAL = 22, ENFILE = 23, EMFILE = 24, ENOSPC = 28 };
enum { NONE = 0, READ = 1, WRITE = 2, EXEC = 4 };
enum { PRIVATE = 2, FIXED = 0x10, ANONYMOUS = 0x20, MAYMOVE = 1, DONTNEED = 4 };
enum { SIGBUS = 7, SIGUSR1 = 10, SIGSEGV = 11, SIGCHLD = 17, SIGINFO_FLAG = 4, BLOCK = 0, UNBLOCK = 1 };
enum {
    CLONE_VM = 0x100,
    CLONE_VFORK = 0x4000,
    // What a C library's thread is made with.
    THREAD = 0x3d0f00,
};
enum { PAGE = 4096, STACK = 16384, THREADS = 3, ROUNDS = 24 };

typedef unsigned long word;

static long call6(long number, long a, long b, long c, long d, long e, long f) {
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
    return a0;
}
#define call5(number, a, b, c, d, e) call6(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define call4(number, a, b, c, d) call5(number, a, b, c, d, 0)
#define call3(number, a, b, c) call4(number, a, b, c, 0)
#define call2(number, a, b) call3(number, a, b, 0)

static void say(const char* text) {
    long length = 0;
    while (text[length] != 0) {
        ++length;
    }
    call3(SYS_write, 1, text, length);
}

static void say_number(unsigned number) {
    char text[12];
    char* at = text + sizeof(text);
    *--at = 0;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    say(at);
}

static void quit(int code) {
    while (1) {
        call2(SYS_exit_group, code, 0);
    }
}

static void wrong(const char* what) {
    say("wrong: ");
    say(what);
    say("\n");
    quit(3);
}

static void check(int right, const char* what) {
    if (!right) {
        wrong(what);
    }
}

// Whether a call was done. It may have been refused for want of memory or of something like it, and for nothing else.
static int done(long outcome, const char* what) {
    if (outcome >= 0 || outcome < -4095) {
        return 1;
    }
    check(outcome == -ENOMEM || outcome == -EAGAIN || outcome == -EMFILE || outcome == -ENFILE || outcome == -ENOSPC, what);
    return 0;
}

// ---- signals ----

struct action {
    void (*handler)(int, void*, char*);
    word flags;
    word mask;
};

// Of each thread: what its handlers saw, and a pipe that nobody else reads. At tp.
struct own {
    volatile unsigned faults;
    volatile unsigned taken;
    int has_pipe;
    int ends[2];
    char* code;
};
static struct own* own(void) {
    struct own* pointer;
    __asm__ volatile("mv %0, tp" : "=r"(pointer));
    return pointer;
}

// Loads and stores that are looked at are of four bytes: the pc is the first word of uc_mcontext.
static void on_fault(int signal, void* info, char* context) {
    (void)signal;
    (void)info;
    *(word*)(context + 176) += 4;
    ++own()->faults;
}

static void on_signal(int signal, void* info, char* context) {
    (void)signal;
    (void)info;
    (void)context;
    ++own()->taken;
}

static int faults_seen;   // there is a handler
static int signals_seen;

static int handle(int signal, void (*handler)(int, void*, char*)) {
    struct action action;
    action.handler = handler;
    action.flags = SIGINFO_FLAG;
    action.mask = 0;
    return done(call4(SYS_rt_sigaction, signal, &action, 0, 8), "sigaction");
}

static int send_signal(void) {
    return call3(SYS_tgkill, call2(SYS_getpid, 0, 0), call2(SYS_gettid, 0, 0), SIGUSR1) == 0;
}

static void signals(void) {
    if (!signals_seen) {
        return;
    }
    const unsigned before = own()->taken;
    for (unsigned i = 1; i <= 4; ++i) {
        check(send_signal(), "tgkill");
        check(own()->taken == before + i, "a signal that was sent");
    }
    const word set = 1UL << (SIGUSR1 - 1);
    check(call4(SYS_rt_sigprocmask, BLOCK, &set, 0, 8) == 0, "sigprocmask");
    check(send_signal(), "tgkill of a blocked signal");
    check(own()->taken == before + 4, "a blocked signal");
    check(call4(SYS_rt_sigprocmask, UNBLOCK, &set, 0, 8) == 0, "sigprocmask back");
    check(own()->taken == before + 5, "a signal that waited");
}

// ---- memory ----

// Whether a load, or a store of what is there, is done.
static int can_load(volatile int* at) {
    const unsigned before = own()->faults;
    int value;
    __asm__ volatile(".option push\n.option norvc\nlw %0, 0(%1)\n.option pop" : "=&r"(value) : "r"(at) : "memory");
    return own()->faults == before;
}
static int can_store(volatile int* at, int value) {
    const unsigned before = own()->faults;
    __asm__ volatile(".option push\n.option norvc\nsw %0, 0(%1)\n.option pop" : : "r"(value), "r"(at) : "memory");
    return own()->faults == before;
}

static void open_pipe(void) { own()->has_pipe = done(call2(SYS_pipe2, own()->ends, 0), "pipe2"); }

static void close_pipe(void) {
    if (own()->has_pipe) {
        call2(SYS_close, own()->ends[0], 0);
        call2(SYS_close, own()->ends[1], 0);
    }
}

// The same of the kernel: it reads the byte for a write to the pipe, and writes it back where it was.
static void check_page(char* at, int loads, int stores) {
    if (faults_seen) {
        check(can_load((int*)at) == loads, "a load");
        check(can_store((int*)(at + 8), 77) == stores, "a store");
    }
    if (!own()->has_pipe) {
        return;
    }
    const int* const ends = own()->ends;
    const long written = call3(SYS_write, ends[1], at, 1);
    if (written == -ENOMEM) {
        return;
    }
    check(written == (loads ? 1 : -EFAULT), "what the kernel may read");
    if (written == 1) {
        const long got = call3(SYS_read, ends[0], at, 1);
        check(got == (stores ? 1 : -EFAULT) || got == -ENOMEM, "what the kernel may write");
        if (got != 1) {
            char byte;
            own()->has_pipe = call3(SYS_read, ends[0], &byte, 1) == 1;
        }
    }
}

static char* map(unsigned pages, int access) {
    const long got = call6(SYS_mmap, 0, pages * PAGE, access, PRIVATE | ANONYMOUS, -1, 0);
    return done(got, "mmap") ? (char*)got : 0;
}

static void maps(void) {
    for (unsigned round = 0; round < 4; ++round) {
        char* const at = map(6, READ | WRITE);
        if (at == 0) {
            continue;
        }
        for (unsigned page = 0; page < 6; ++page) {
            check(*(int*)(at + page * PAGE) == 0, "fresh memory");
            *(int*)(at + page * PAGE) = (int)page + 1;
        }
        int stores = 1;
        if (done(call3(SYS_mprotect, at + PAGE, 2 * PAGE, READ), "mprotect")) {
            stores = 0;
        }
        check_page(at, 1, 1);
        check_page(at + PAGE, 1, stores);
        check_page(at + 2 * PAGE, 1, stores);
        check_page(at + 3 * PAGE, 1, 1);
        const int closed = done(call3(SYS_mprotect, at + 2 * PAGE, PAGE, NONE), "mprotect to nothing");
        check_page(at + 2 * PAGE, !closed, !closed && stores);
        check_page(at + PAGE, 1, stores);
        const int gone = done(call2(SYS_munmap, at + 3 * PAGE, PAGE), "munmap");
        check_page(at + 3 * PAGE, !gone, !gone);
        check_page(at + 4 * PAGE, 1, 1);
        // Over what is there: all of it is new, or nothing.
        const long over = call6(SYS_mmap, (long)at, 2 * PAGE, READ | WRITE, PRIVATE | ANONYMOUS | FIXED, -1, 0);
        if (done(over, "mmap over")) {
            check(over == (long)at && *(int*)at == 0 && *(int*)(at + PAGE) == 0, "a fixed mapping");
        } else {
            check(*(int*)(at + PAGE) == 2, "memory after a mapping that was refused");
        }
        const long advice = call3(SYS_madvise, at + 4 * PAGE, PAGE, DONTNEED);
        if (advice == -EINVAL || !done(advice, "madvise")) {
            check(*(int*)(at + 4 * PAGE) == 5, "memory after advice that was refused");
        } else {
            check(*(int*)(at + 4 * PAGE) == 0, "memory that is not needed");
        }
        const int last = *(int*)(at + 5 * PAGE);
        check(last == 6, "the last page");
        const long moved = call5(SYS_mremap, at + 5 * PAGE, PAGE, 3 * PAGE, MAYMOVE, 0);
        if (done(moved, "mremap")) {
            check(*(int*)moved == 6 && *(int*)(moved + 2 * PAGE) == 0, "memory that was moved");
            if (moved != (long)(at + 5 * PAGE)) {
                check_page(at + 5 * PAGE, 0, 0);
            }
            check_page((char*)moved + 2 * PAGE, 1, 1);
            (void)done(call2(SYS_munmap, moved, 3 * PAGE), "munmap of what was moved");
        } else {
            check(*(int*)(at + 5 * PAGE) == 6, "memory that was not moved");
        }
        if (done(call2(SYS_munmap, at, 5 * PAGE), "munmap of all")) {
            check_page(at, 0, 0);
            check_page(at + 4 * PAGE, 0, 0);
        }
    }
    const long heap = call2(SYS_brk, 0, 0);
    const long grown = call2(SYS_brk, heap + 3 * PAGE, 0);
    check(grown == heap || grown == heap + 3 * PAGE, "brk");
    if (grown != heap) {
        check_page((char*)grown - PAGE, 1, 1);
    }
}

// ---- code ----

// Functions that give their number, each at another place, called as soon as they are written; and one place with always another
// function.
static void run_code(char* memory) {
    for (int round = 0; round < ROUNDS; ++round) {
        for (int same = 0; same < 2; ++same) {
            int* const place = (int*)(memory + (same ? 2 * PAGE : (round * 328) % (2 * PAGE)));
            place[0] = (round << 20) | 0x513;  // li a0, round
            place[1] = 0x8067;                 // ret
            __asm__ volatile("fence.i" ::: "memory");
            check(((int (*)(void))place)() == round, "code that was written");
        }
    }
}

static void codes(void) {
    own()->code = own()->code != 0 ? own()->code : map(3, READ | WRITE | EXEC);
    char* const memory = own()->code;
    if (memory == 0) {
        return;
    }
    run_code(memory);
    if (done(call3(SYS_mprotect, memory, 3 * PAGE, READ | EXEC), "mprotect of code")) {
        check_page(memory, 1, 0);
        check(((int (*)(void))(memory + 2 * PAGE))() == ROUNDS - 1, "code that is read alone");
        if (!done(call3(SYS_mprotect, memory, 3 * PAGE, READ | WRITE | EXEC), "mprotect of code back")) {
            own()->code = 0;  // it stays as it is, and is not used again
            return;
        }
    }
    run_code(memory);
    // Its memory is other code's then.
    if (done(call2(SYS_munmap, memory, 3 * PAGE), "munmap of code")) {
        own()->code = 0;
        char* const again = map(3, READ | WRITE | EXEC);
        if (again != 0) {
            run_code(again);
            own()->code = again;
        }
    }
}

// ---- threads ----

static char stacks[THREADS][STACK] __attribute__((aligned(16)));
static struct own owns[THREADS];
static volatile int alive[THREADS];
static volatile unsigned worked;

// With a stack of its own that `entry` begins on, or as the caller where it is 0.
long guest_clone(word flags, char* stack, volatile int* parent_tid, void* tls, volatile int* child_tid, void (*entry)(void));
__asm__(
    "guest_clone:\n"
    "  mv a6, a5\n"
    "  li a7, 220\n"
    "  ecall\n"
    "  bnez a0, 1f\n"
    "  beqz a6, 1f\n"
    "  li ra, 0\n"
    "  jalr a6\n"
    "  unimp\n"
    "1: ret\n");

static void work(void) {
    open_pipe();
    codes();
    signals();
    char* const at = map(2, READ | WRITE);
    if (at != 0) {
        check_page(at, 1, 1);
        (void)done(call2(SYS_munmap, at, 2 * PAGE), "munmap of a thread's");
    }
    close_pipe();
    __atomic_fetch_add(&worked, 1, __ATOMIC_SEQ_CST);
    while (1) {
        call2(SYS_exit, 0, 0);
    }
}

static void idle(void) {
    while (1) {
        call2(SYS_exit, 0, 0);
    }
}

static int start_thread(unsigned i, void (*entry)(void)) {
    alive[i] = -1;
    const long tid = guest_clone(THREAD, stacks[i] + STACK, &alive[i], &owns[i], &alive[i], entry);
    if (!done(tid, "clone of a thread")) {
        check(alive[i] == -1, "the number of a thread that is not there");
        return 0;
    }
    return 1;
}

static void join(unsigned i) {
    int tid;
    while ((tid = alive[i]) != 0) {
        call4(SYS_futex, &alive[i], 0, tid, 0);
    }
}

static void threads(void) {
    unsigned made = 0;
    int there[THREADS];
    worked = 0;
    for (unsigned i = 0; i < THREADS; ++i) {
        made += there[i] = start_thread(i, work);
    }
    codes();
    for (unsigned i = 0; i < THREADS; ++i) {
        if (there[i]) {
            join(i);
        }
    }
    check(worked == made, "the work of threads");
}

static void many_threads(unsigned number) {
    unsigned refused = 0;
    for (unsigned i = 0; i < number; ++i) {
        if (start_thread(0, idle)) {
            join(0);
        } else {
            ++refused;
        }
    }
    say_number(refused);
    say(" refused\n");
}

// ---- processes ----

static unsigned refused;  // children that weft failed in
static unsigned unknown;  // children that could not be waited for

static void wait_for(long child) {
    int status = -1;
    long got;
    unsigned tries = 0;
    while ((got = call4(SYS_wait4, child, &status, 0, 0)) == -EINTR || (got == -ENOMEM && ++tries < 100)) {
    }
    check(got == child || got == -ENOMEM, "wait4");
    if (got == -ENOMEM) {
        ++unknown;
    } else if (status == 1 << 8 || (status & 0x7f) == SIGBUS) {
        ++refused;
    } else {
        check(status == 0, "a child's end");
    }
}

static void processes(char** arguments, char** environment) {
    for (unsigned round = 0; round < 2; ++round) {
        const long child = guest_clone(SIGCHLD, 0, 0, 0, 0, 0);
        if (!done(child, "fork")) {
            continue;
        }
        if (child == 0) {
            open_pipe();
            codes();
            signals();
            if (round == 0) {
                threads();
            }
            maps();
            quit(0);
        }
        codes();
        wait_for(child);
    }
    // As posix_spawn does it.
    char* spawned[] = {arguments[0], "child", 0};
    const long child = guest_clone(CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0, 0);
    if (done(child, "vfork")) {
        if (child == 0) {
            (void)done(call3(SYS_execve, spawned[0], spawned, environment), "execve of a child");
            quit(0);
        }
        wait_for(child);
    }
}

// ---- files ----

static void file(const char* name, unsigned first) {
    const long fd = call4(SYS_openat, -100, name, 0, 0);
    if (!done(fd, "open")) {
        return;
    }
    unsigned bytes[2] = {0, 0};
    struct {
        void* at;
        word size;
    } vectors[2] = {{bytes, 4}, {bytes + 1, 4}};
    const long got = call3(SYS_readv, fd, vectors, 2);
    if (done(got, "readv")) {
        check(got == 8 && (first == 0 || bytes[0] == first), "a file's first bytes");
    }
    check(call2(SYS_close, fd, 0) == 0, "close");
}

static int same(const char* a, const char* b) {
    while (*a != 0 && *a == *b) {
        ++a;
        ++b;
    }
    return *a == *b;
}

static unsigned number_of(const char* text) {
    unsigned number = 0;
    while (*text != 0) {
        number = number * 10 + (unsigned)(*text++ - '0');
    }
    return number;
}

static void finish(const char* count) {
    say("right ");
    say(count);
    say("\n");
    quit(0);
}

void guest_main(word* stack) {
    static struct own first;
    __asm__ volatile("mv tp, %0" : : "r"(&first));
    // Tells refuse_calls.cpp that the program begins.
    call2(SYS_sched_get_priority_max, 0x77656674, 0);
    char** const arguments = (char**)(stack + 1);
    char** const environment = arguments + stack[0] + 1;
    if (stack[0] == 2 && same(arguments[1], "child")) {
        quit(0);
    }
    if (stack[0] == 3 && same(arguments[1], "last")) {
        finish(arguments[2]);
    }
    if (stack[0] == 3 && same(arguments[1], "threads")) {
        many_threads(number_of(arguments[2]));
        quit(0);
    }
    open_pipe();
    faults_seen = handle(SIGSEGV, on_fault);
    signals_seen = handle(SIGUSR1, on_signal);
    file(arguments[0], 0x464c457f);
    file("/proc/self/maps", 0);
    maps();
    codes();
    signals();
    threads();
    processes(arguments, environment);
    threads();
    maps();
    char count[4] = {(char)('0' + refused), '+', (char)('0' + unknown), 0};
    char* again[] = {arguments[0], "last", count, 0};
    (void)done(call3(SYS_execve, again[0], again, environment), "execve");
    finish(count);
}

__asm__(
    ".globl _start\n"
    "_start:\n"
    "  .option push\n  .option norelax\n  la gp, __global_pointer$\n  .option pop\n"
    "  mv a0, sp\n"
    "  andi sp, sp, -16\n"
    "  call guest_main\n");
