// Pointer masking as programs ask for it: prctl(PR_SET_TAGGED_ADDR_CTRL) with a number of bits (Linux, Documentation/arch/riscv/uabi.rst).
// Exit code 0 where all is as that says; else each thing that is not is one line.
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PMLEN(bits) ((unsigned long)(bits) << 24)

static int failures;
#define CHECK(condition)                                         \
    do {                                                         \
        if (!(condition)) {                                      \
            printf("line %d: not %s\n", __LINE__, #condition);   \
            ++failures;                                          \
        }                                                        \
    } while (0)

static int set(unsigned long control) { return prctl(PR_SET_TAGGED_ADDR_CTRL, control, 0, 0, 0) == 0 ? 0 : errno; }
static int get(void) { return prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0); }

static uint64_t words[64] __attribute__((aligned(64)));

static void* tagged(void* pointer, uint64_t tag) { return (void*)((uintptr_t)pointer | tag << 48); }

static sigjmp_buf back;
static void* volatile fault_address;
static void on_fault(int signal, siginfo_t* info, void* context) {
    (void)signal, (void)context;
    fault_address = info->si_addr;
    siglongjmp(back, 1);
}

// Whether a load from there is a fault.
static int faults(void* pointer) {
    if (sigsetjmp(back, 1) != 0) {
        return 1;
    }
    (void)*(volatile uint64_t*)pointer;
    return 0;
}

// Each kind of access, often enough to be compiled.
static void access_all(uint64_t tag) {
    for (int round = 0; round < 200; ++round) {
        memset(words, 0, sizeof words);
        volatile uint64_t* const w = tagged(words, tag);
        w[1] = 0x1122334455667788;
        CHECK(words[1] == 0x1122334455667788 && w[1] == 0x1122334455667788);
        CHECK(((volatile int8_t*)w)[15] == 0x11 && ((volatile uint16_t*)w)[4] == 0x7788);
        ((volatile uint8_t*)w)[9] = 0xff;
        CHECK(words[1] == 0x112233445566ff88);
        *(volatile double*)(w + 2) = 1.5;
        CHECK(*(volatile double*)(w + 2) == 1.5 && *(double*)(words + 2) == 1.5);
        *(volatile float*)(w + 3) = 2.5f;
        CHECK(*(volatile float*)(words + 3) == 2.5f);
        CHECK(__atomic_fetch_add(w + 4, 7, __ATOMIC_SEQ_CST) == 0 && words[4] == 7);
        uint64_t expected = 7;
        CHECK(__atomic_compare_exchange_n(w + 4, &expected, 9, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) && words[4] == 9);
        // Misaligned, and over a cache block.
        uint64_t value = 0;
        memcpy(&value, (char*)tagged(words, tag) + 61, sizeof value);
        CHECK(value == 0);
        strcpy(tagged(words + 16, tag), "a string that is somewhat longer than a register");
        CHECK(strcmp((char*)(words + 16), tagged(words + 16, tag)) == 0);
    }
}

static void* in_thread(void* mask) {
    CHECK(get() == (int)(uintptr_t)mask);  // as its maker
    CHECK(!faults(tagged(words, 0x7e00)));
    CHECK(set(0) == 0);
    CHECK(get() == 0);
    CHECK(faults(tagged(words, 0x7e00)));
    return NULL;
}

static void threads_and_processes(const char* self) {
    CHECK(set(PMLEN(7)) == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, in_thread, (void*)PMLEN(7)) == 0);
    pthread_join(thread, NULL);
    CHECK(get() == (int)PMLEN(7) && !faults(tagged(words, 0x7e00)));  // its own

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        failures = 0;
        CHECK(get() == (int)PMLEN(7) && !faults(tagged(words, 0x7e00)));
        fflush(stdout);
        _exit(failures != 0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && status == 0);

    // A child that borrows this process' memory has a mask of its own, and execve takes it away.
    child = vfork();
    if (child == 0) {
        if (prctl(PR_SET_TAGGED_ADDR_CTRL, PMLEN(16), 0, 0, 0) != 0) {
            _exit(3);
        }
        execl(self, self, "fresh", NULL);
        _exit(2);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(get() == (int)PMLEN(7) && faults(tagged(words, 0x7eff)) && !faults(tagged(words, 0x7e00)));
}

int main(int argc, char** argv) {
    const struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    if (argc > 1 && strcmp(argv[1], "absent") == 0) {  // a CPU without the extension
        CHECK(set(0) == EINVAL && set(PMLEN(7)) == EINVAL && get() == -1 && errno == EINVAL);
        return failures != 0;
    }
    CHECK(get() == 0);
    CHECK(faults(tagged(words, 0x7e00)));
    if (argc > 1) {
        return failures != 0;
    }
    // The least that is as much as was asked for.
    const int lengths[][2] = {{1, 7}, {7, 7}, {8, 16}, {16, 16}, {0, 0}};
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; ++i) {
        CHECK(set(PMLEN(lengths[i][0])) == 0 && get() == (int)PMLEN(lengths[i][1]));
    }
    CHECK(set(PMLEN(16)) == 0);
    CHECK(set(PMLEN(17)) == EINVAL && set(PMLEN(127)) == EINVAL && set(1 << 10) == EINVAL && get() == (int)PMLEN(16));
    // Pointers of system calls are as they are: as where abi.tagged_addr_disabled is 1.
    CHECK(set(PMLEN(7) | PR_TAGGED_ADDR_ENABLE) == EINVAL);
    CHECK(prctl(PR_SET_TAGGED_ADDR_CTRL, PMLEN(7), 1, 0, 0) == -1 && prctl(PR_GET_TAGGED_ADDR_CTRL, 1, 0, 0, 0) == -1);
    CHECK(write(STDOUT_FILENO, tagged(words, 0x1234), 1) == -1 && errno == EFAULT);

    access_all(0x1234);
    access_all(0xffff & ~0x1);
    CHECK(set(PMLEN(7)) == 0);
    access_all(0x2200);
    CHECK(faults(tagged(words, 0x2201)));  // too many
    // What a fault tells is the address that was accessed.
    CHECK(faults(tagged((void*)8, 0x2200)) && fault_address == (void*)8);
    threads_and_processes(argv[0]);
    return failures != 0;
}
