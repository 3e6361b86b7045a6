// What the tests of the gdb stub debug: a function for each of them, named by the first argument.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int go_on;
volatile long counter;
volatile int handled;
volatile double number = 1.5;

__attribute__((noinline)) void here(void) { __asm__ volatile("" ::: "memory"); }

__attribute__((noinline)) long add(long a, long b) {
    long sum = a + b;
    here();
    return sum;
}

// Called by the debugger.
__attribute__((noinline, used)) long triple(long a) { return 3 * a; }

static void on_signal(int signal) { handled = signal; }

static int run_add(void) {
    const long sum = add(3, 4);
    printf("sum %ld\n", sum);
    return (int)sum;
}

static uint32_t sum_of_code(void) {
    const unsigned char* bytes = (const unsigned char*)(uintptr_t)add;
    uint32_t sum = 0;
    for (int i = 0; i < 32; ++i) {
        sum = sum * 31 + bytes[i];
    }
    return sum;
}

static int run_code(void) {
    const uint32_t before = sum_of_code();
    here();
    add(1, 2);
    printf("%s\n", sum_of_code() == before ? "same" : "other");
    return 0;
}

static void* count(void* argument) {
    (void)argument;
    while (!go_on) {
        ++counter;
    }
    here();
    return NULL;
}

static int run_threads(void) {
    pthread_t threads[3];
    for (int i = 0; i < 3; ++i) {
        pthread_create(&threads[i], NULL, count, NULL);
    }
    here();
    for (int i = 0; i < 3; ++i) {
        pthread_join(threads[i], NULL);
    }
    return 5;
}

static int run_signals(void) {
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    printf("handled %d\n", handled);
    fflush(stdout);
    raise(SIGTERM);
    printf("went on\n");
    return 6;
}

static int run_fork(void) {
    const pid_t child = fork();
    if (child == 0) {
        here();
        _exit((int)add(1, 2));
    }
    int status = 0;
    waitpid(child, &status, 0);
    here();
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static int run_read(void) {
    char bytes[16];
    const ssize_t got = read(0, bytes, sizeof(bytes));
    printf("read %ld\n", (long)got);
    return (int)got;
}

static int run_fault(void) {
    *(volatile int*)16 = 1;
    return 0;
}

static int run_exec(char** argv) {
    char* const arguments[] = {argv[0], (char*)"add", NULL};
    execv(argv[0], arguments);
    return 98;
}

int main(int argc, char** argv) {
    const char* what = argc > 1 ? argv[1] : "add";
    const struct {
        const char* name;
        int (*run)(void);
    } all[] = {{"add", run_add},     {"code", run_code}, {"threads", run_threads}, {"signals", run_signals},
               {"fork", run_fork},   {"read", run_read}, {"fault", run_fault}};
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); ++i) {
        if (strcmp(what, all[i].name) == 0) {
            return all[i].run();
        }
    }
    return strcmp(what, "exec") == 0 ? run_exec(argv) : 97;
}
