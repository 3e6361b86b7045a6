// A program that goes wrong in the way that its argument names; built for the host and for the guest. It ends by a signal, or prints
// the same on both. "list" names the ways; "exec" runs another program, which is bad; "cpu" prints what only RISC-V has, and ends with 1 where that is not as its manual says.
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int sink;
static volatile uint64_t number;

static void load(uint64_t address) { sink = *(volatile char*)address; }
static void store(uint64_t address) { *(volatile char*)address = 1; }
static void jump(uint64_t address) { ((void (*)(void))address)(); }

// A stack pointer that is none. Not one that is no address of x86-64's, whose signal is SIGBUS there and not on RISC-V.
static void use_stack(uint64_t address) {
#ifdef __riscv
    asm volatile("mv sp, %0\n sd zero, -8(sp)" ::"r"(address) : "memory");
#else
    asm volatile("mov %0, %%rsp\n push $0" ::"r"(address) : "memory");
#endif
}

// A signal that has a handler and comes when the stack pointer is none.
static void nothing(int signal) { (void)signal; }
static void signal_on_stack(uint64_t address) {
    signal(SIGUSR1, nothing);
    const long pid = getpid();
#ifdef __riscv
    register long a0 asm("a0") = pid;
    register long a1 asm("a1") = SIGUSR1;
    register long a7 asm("a7") = SYS_kill;
    asm volatile("mv sp, %1\n ecall\n j ." : "+r"(a0) : "r"(address), "r"(a1), "r"(a7) : "memory");
#else
    asm volatile("mov %3, %%rsp\n syscall\n jmp ." ::"a"((long)SYS_kill), "D"(pid), "S"((long)SIGUSR1), "r"(address)
                 : "rcx", "r11", "memory");
#endif
}

static int recurse(int depth) {
    volatile char room[4096];
    room[0] = (char)depth;
    return depth < 0 ? 0 : recurse(depth + 1) + room[0];
}
static void overflow(uint64_t unused) {
    (void)unused;
    sink = recurse(0);
}

static void* page(int protection) {
    return mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void jump_to_data(uint64_t unused) {
    (void)unused;
    jump((uint64_t)page(PROT_READ | PROT_WRITE));
}
static void jump_to_none(uint64_t unused) {
    (void)unused;
    jump((uint64_t)page(PROT_NONE));
}
static void store_to_code(uint64_t unused) {
    (void)unused;
    store((uint64_t)&overflow);
}
// The last instruction of a page runs into one that is not there, or may not be executed.
static void run_off(uint64_t protection) {
    char* pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#ifdef __riscv
    const uint8_t nop[2] = {0x01, 0x00};
#else
    const uint8_t nop[2] = {0x90, 0x90};
#endif
    for (int i = 0; i < 4096; i += 2) {
        memcpy(pages + i, nop, 2);
    }
    mprotect(pages, 4096, PROT_READ | PROT_EXEC);
    mprotect(pages + 4096, 4096, (int)protection);
    __builtin___clear_cache(pages, pages + 4096);
    jump((uint64_t)pages + 4000);
}
// Code and data behind the end of a file.
static char* behind_file(int protection) {
    FILE* file = tmpfile();
    return mmap(NULL, 4096, protection, MAP_SHARED, fileno(file), 0);
}
static void load_behind(uint64_t unused) {
    (void)unused;
    load((uint64_t)behind_file(PROT_READ));
}
static void store_behind(uint64_t unused) {
    (void)unused;
    store((uint64_t)behind_file(PROT_READ | PROT_WRITE));
}
static void jump_behind(uint64_t unused) {
    (void)unused;
    jump((uint64_t)behind_file(PROT_READ | PROT_EXEC));
}
static void illegal(uint64_t unused) {
    (void)unused;
#ifdef __riscv
    asm volatile(".2byte 0");
#else
    asm volatile("ud2");
#endif
}
static void breakpoint(uint64_t unused) {
    (void)unused;
#ifdef __riscv
    asm volatile("ebreak");
#else
    asm volatile("int3");
#endif
}
static void send(uint64_t which) { raise((int)which); }
// A fault whose signal is blocked or ignored kills all the same.
static void blocked(uint64_t address) {
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    store(address);
}
static void ignored(uint64_t address) {
    signal(SIGSEGV, SIG_IGN);
    store(address);
}
// A handler that faults itself, whose signal is blocked meanwhile.
static void faults_again(int which) {
    (void)which;
    store(8);
}
static void twice(uint64_t address) {
    signal(SIGSEGV, faults_again);
    store(address);
}
static void jump_by_handler(uint64_t address) {
    signal(SIGUSR1, (void (*)(int))address);
    raise(SIGUSR1);
}
// rt_sigreturn of a frame that is none.
static void bad_return(uint64_t address) {
#ifdef __riscv
    register long a7 asm("a7") = SYS_rt_sigreturn;
    asm volatile("mv sp, %0\n ecall" ::"r"(address), "r"(a7) : "memory");
#else
    asm volatile("mov %1, %%rsp\n syscall" ::"a"((long)SYS_rt_sigreturn), "r"(address) : "rcx", "r11", "memory");
#endif
}
// A stack that is used up has its handler on another.
static char other[65536];
static sigjmp_buf back;
static void leave(int which) {
    printf("signal %d\n", which);
    fflush(stdout);
    siglongjmp(back, 1);
}
static void overflow_taken(uint64_t unused) {
    (void)unused;
    const stack_t stack = {.ss_sp = other, .ss_size = sizeof(other)};
    sigaltstack(&stack, NULL);
    const struct sigaction action = {.sa_handler = leave, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    for (int i = 0; i < 3; ++i) {
        if (sigsetjmp(back, 1) == 0) {
            sink = recurse(0);
        }
    }
}
// The other stack is used up as well.
static void again_on_other(int which) {
    (void)which;
    sink = recurse(0);
}
static void overflow_other(uint64_t unused) {
    (void)unused;
    char* pages = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages + 65536, 65536, PROT_READ | PROT_WRITE);
    const stack_t stack = {.ss_sp = pages + 65536, .ss_size = 65536};
    sigaltstack(&stack, NULL);
    const struct sigaction action = {.sa_handler = again_on_other, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    sink = recurse(0);
}
// Threads that die at the same time: one death, and one line.
static atomic_int arrived;
enum { CROWD = 8 };
static void* arrive(void* address) {
    ++arrived;
    while (arrived != CROWD) {
    }
    store((uint64_t)address);
    return NULL;
}
static void together(uint64_t address) {
    pthread_t thread;
    for (int i = 1; i < CROWD; ++i) {
        pthread_create(&thread, NULL, arrive, (void*)address);
    }
    arrive((void*)address);
}
// Calls whose pointers are wild, as a program makes them.
static void wild_calls(uint64_t unused) {
    (void)unused;
    for (int shift = 1; shift < 64; ++shift) {
        for (int i = -1; i <= 1; ++i) {
            const uint64_t address = (UINT64_C(1) << shift) + (uint64_t)i;
            if (shift >= 47 || shift < 12) {
                number += syscall(SYS_write, 1, address, 1) != -1;
                number += syscall(SYS_uname, address) != -1;
                number += syscall(SYS_getcwd, address, 4096) != -1;
                number += syscall(SYS_readv, 0, address, 1) != -1;
            }
        }
    }
    printf("%d\n", (int)number);
}
// All memory: it ends with ENOMEM, not with the process.
static void all_memory(uint64_t unused) {
    (void)unused;
    const struct rlimit limit = {UINT64_C(1) << 30, UINT64_C(1) << 30};
    setrlimit(RLIMIT_AS, &limit);
    int count = 0;
    while (mmap(NULL, 1 << 24, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED && count < 1000) {
        ++count;
    }
    printf("%d %s\n", count > 20 && count < 100, strerrorname_np(errno));
    printf("%d\n", malloc(UINT64_C(1) << 34) == NULL);
}

static const struct {
    const char* name;
    void (*function)(uint64_t);
    uint64_t argument;
} ways[] = {
    {"load-0", load, 0},
    {"load-8", load, 8},
    {"load-2^38", load, UINT64_C(1) << 38},
    {"load-2^46", load, UINT64_C(1) << 46},
    {"load-below-2^47", load, (UINT64_C(1) << 47) - 1},
    {"load-2^47", load, UINT64_C(1) << 47},
    {"load-2^48", load, UINT64_C(1) << 48},
    {"load-2^56", load, UINT64_C(1) << 56},
    {"load-2^63", load, UINT64_C(1) << 63},
    {"load-top", load, UINT64_MAX},
    {"load-kernel", load, UINT64_C(0xffffffff80000000)},
    {"store-0", store, 0},
    {"store-2^46", store, UINT64_C(1) << 46},
    {"store-2^47", store, UINT64_C(1) << 47},
    {"store-2^62", store, UINT64_C(1) << 62},
    {"store-2^63", store, UINT64_C(1) << 63},
    {"store-top", store, UINT64_MAX},
    {"store-to-code", store_to_code, 0},
    {"jump-0", jump, 0},
    {"jump-8", jump, 8},
    {"jump-2^38", jump, UINT64_C(1) << 38},
    {"jump-2^46", jump, UINT64_C(1) << 46},
    {"jump-2^47", jump, UINT64_C(1) << 47},
    {"jump-below-2^47", jump, (UINT64_C(1) << 47) - 4},
    {"jump-2^63", jump, UINT64_C(1) << 63},
    {"jump-top", jump, UINT64_MAX - 3},
    {"jump-end", jump, UINT64_MAX - 1},
    {"jump-to-data", jump_to_data, 0},
    {"jump-to-none", jump_to_none, 0},
    {"run-off-data", run_off, PROT_READ | PROT_WRITE},
    {"run-off-none", run_off, PROT_NONE},
    {"load-behind", load_behind, 0},
    {"store-behind", store_behind, 0},
    {"jump-behind", jump_behind, 0},
    {"illegal", illegal, 0},
    {"breakpoint", breakpoint, 0},
    {"overflow", overflow, 0},
    {"overflow-taken", overflow_taken, 0},
    {"overflow-other", overflow_other, 0},
    {"stack-8", use_stack, 8},
    {"stack-2^47", use_stack, UINT64_C(1) << 47},
    {"signal-on-stack-0", signal_on_stack, 0},
    {"signal-on-stack-8", signal_on_stack, 8},
    {"signal-on-stack-2^46", signal_on_stack, UINT64_C(1) << 46},
    {"signal-on-stack-2^63", signal_on_stack, UINT64_C(1) << 63},
    {"signal-on-stack-top", signal_on_stack, UINT64_MAX},
    {"return-0", bad_return, 0},
    {"return-odd", bad_return, 0x12345},
    {"return-2^47", bad_return, UINT64_C(1) << 47},
    {"return-2^63", bad_return, UINT64_C(1) << 63},
    {"return-top", bad_return, UINT64_MAX - 100},
    {"blocked", blocked, 8},
    {"blocked-2^63", blocked, UINT64_C(1) << 63},
    {"ignored", ignored, 8},
    {"twice", twice, 16},
    {"together", together, 8},
    {"handler-8", jump_by_handler, 8},
    {"handler-2^63", jump_by_handler, UINT64_C(1) << 63},
    {"handler-top", jump_by_handler, UINT64_MAX - 1},
    {"sent-abort", send, SIGABRT},
    {"sent-kill", send, SIGKILL},
    {"sent-fpe", send, SIGFPE},
    {"sent-real-time", send, 40},
    {"sent-terminate", send, SIGTERM},
    {"sent-bus", send, SIGBUS},
    {"wild-calls", wild_calls, 0},
    {"all-memory", all_memory, 0},
};

#ifdef __riscv
static volatile int failures;
static void expect(const char* what, long is, long wanted) {
    if (is != wanted) {
        printf("%s: %ld, not %ld\n", what, is, wanted);
        failures++;
    }
}

static struct {
    int signal, code;
    uint64_t address;
} seen;
static void note(int which, siginfo_t* info, void* context) {
    (void)context;
    seen.signal = which;
    seen.code = info->si_code;
    seen.address = (uint64_t)info->si_addr;
    siglongjmp(back, 1);
}
static void expect_signal(const char* what, void (*function)(uint64_t), uint64_t argument, int signal, int code, uint64_t address) {
    memset(&seen, 0, sizeof(seen));
    if (sigsetjmp(back, 1) == 0) {
        function(argument);
    }
    expect(what, seen.signal, signal);
    expect(what, seen.code, code);
    expect(what, (long)seen.address, (long)address);
}
static void swap_word(uint64_t address) { asm volatile("amoswap.w zero, zero, (%0)" ::"r"(address) : "memory"); }
static void add_double(uint64_t address) { asm volatile("amoadd.d zero, zero, (%0)" ::"r"(address) : "memory"); }
static void reserve(uint64_t address) { asm volatile("lr.d t0, (%0)" ::"r"(address) : "t0", "memory"); }
static void store_conditionally(uint64_t address) { asm volatile("sc.w t0, zero, (%0)" ::"r"(address) : "t0", "memory"); }
static void zeros(uint64_t unused) {
    (void)unused;
    asm volatile(".2byte 0");
}

static int cpu(void) {
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = note;
    for (int each = SIGILL; each <= SIGSEGV; ++each) {
        sigaction(each, &action, NULL);
    }
    // Unprivileged specification, "M": no exceptions.
    volatile long least = LONG_MIN, minus = -1, zero = 0;
    volatile int least_word = INT_MIN, minus_word = -1;
    long result;
    asm("div %0, %1, %2" : "=r"(result) : "r"(least), "r"(minus));
    expect("div overflow", result, LONG_MIN);
    asm("rem %0, %1, %2" : "=r"(result) : "r"(least), "r"(minus));
    expect("rem overflow", result, 0);
    asm("divw %0, %1, %2" : "=r"(result) : "r"((long)least_word), "r"((long)minus_word));
    expect("divw overflow", result, INT_MIN);
    asm("remw %0, %1, %2" : "=r"(result) : "r"((long)least_word), "r"((long)minus_word));
    expect("remw overflow", result, 0);
    asm("div %0, %1, %2" : "=r"(result) : "r"(least), "r"(zero));
    expect("div by zero", result, -1);
    asm("rem %0, %1, %2" : "=r"(result) : "r"(least), "r"(zero));
    expect("rem by zero", result, LONG_MIN);
    asm("divu %0, %1, %2" : "=r"(result) : "r"(least), "r"(zero));
    expect("divu by zero", result, -1);
    asm("divuw %0, %1, %2" : "=r"(result) : "r"(least), "r"(zero));
    expect("divuw by zero", result, -1);
    // JALR clears the lowest bit.
    asm volatile("la t0, 1f\n addi t0, t0, 1\n jr t0\n 1:" ::: "t0");
    // Linux on RISC-V: SIGBUS, BUS_ADRALN where an atomic operation is not aligned.
    static uint64_t words[4];
    const uint64_t at = (uint64_t)words;
    expect_signal("amoswap.w", swap_word, at + 1, SIGBUS, BUS_ADRALN, at + 1);
    expect_signal("amoadd.d", add_double, at + 4, SIGBUS, BUS_ADRALN, at + 4);
    expect_signal("lr.d", reserve, at + 4, SIGBUS, BUS_ADRALN, at + 4);
    expect_signal("sc.w", store_conditionally, at + 2, SIGBUS, BUS_ADRALN, at + 2);
    // Addresses as the program used them, also where x86-64 has no address to tell.
    const uint64_t wild[] = {0, 8, UINT64_C(1) << 46, UINT64_C(1) << 47, UINT64_C(1) << 56, UINT64_C(1) << 62, UINT64_C(1) << 63,
                             UINT64_C(0xffffffff80000000), UINT64_MAX - 7};
    for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); ++i) {
        char text[64];
        snprintf(text, sizeof(text), "at %#lx", wild[i]);
        expect_signal(text, load, wild[i], SIGSEGV, SEGV_MAPERR, wild[i]);
        expect_signal(text, store, wild[i], SIGSEGV, SEGV_MAPERR, wild[i]);
        expect_signal(text, jump, wild[i], SIGSEGV, SEGV_MAPERR, wild[i]);
        expect_signal(text, swap_word, wild[i], SIGSEGV, SEGV_MAPERR, wild[i]);
        expect_signal(text, reserve, wild[i], SIGSEGV, SEGV_MAPERR, wild[i]);
    }
    const uint64_t data = (uint64_t)page(PROT_READ);
    expect_signal("store to read-only", store, data, SIGSEGV, SEGV_ACCERR, data);
    expect_signal("jump to data", jump, data, SIGSEGV, SEGV_ACCERR, data);
    const uint64_t none = (uint64_t)page(PROT_NONE);
    expect_signal("load from none", load, none, SIGSEGV, SEGV_ACCERR, none);
    memset(&seen, 0, sizeof(seen));
    if (sigsetjmp(back, 1) == 0) {
        zeros(0);
    }
    expect("zeros", seen.signal, SIGILL);
    expect("zeros", seen.code, ILL_ILLOPC);
    return failures != 0;
}
#endif

// exec PATH [RESOURCE LIMIT]: what the error is where the old program is still there.
static int execute(int argc, char** argv) {
    if (argc > 4) {
        const rlim_t value = strtoull(argv[4], NULL, 0);
        const struct rlimit limit = {value, value};
        setrlimit(atoi(argv[3]), &limit);
    }
    char* none[] = {NULL};
    execve(argv[2], argv + 2, none);
    printf("%s\n", strerrorname_np(errno));
    return 3;
}

int main(int argc, char** argv) {
    const char* name = argc > 1 ? argv[1] : "list";
    if (argc > 2 && strcmp(name, "exec") == 0) {
        return execute(argc, argv);
    }
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); ++i) {
        if (strcmp(name, "list") == 0) {
            printf("%s\n", ways[i].name);
        } else if (strcmp(name, ways[i].name) == 0) {
            ways[i].function(ways[i].argument);
        }
    }
#ifdef __riscv
    if (strcmp(name, "cpu") == 0) {
        return cpu();
    }
#endif
    return 0;
}
