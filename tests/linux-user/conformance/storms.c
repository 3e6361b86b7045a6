// Much of everything at once: queued signals, forks beside busy threads, execs, threads that come and go. Nothing is lost, nothing waits
// for ever, and nothing piles up. WEFT_TEST_FULL=1 makes it long.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "say.h"

enum { kReceivers = 8, kBusy = 64, kExecutors = 8, kSpawners = 4, kCreators = 4, kSignals = 65 };

extern char** environ;

static int count(int usual, int full) {
    const char* const value = getenv("WEFT_TEST_FULL");
    return value != NULL && strcmp(value, "1") == 0 ? full : usual;
}

static void must(int worked) {
    if (!worked) {
        SAY("failed", "%s", strerrorname_np(errno));
        abort();
    }
}

// ---- queued signals: each thread sends to the next ----

typedef struct {
    pthread_t thread;
    int sent[kSignals];
    // Its handler's alone while it runs.
    int next[kSignals];
    int received;
    int wrong;
} Receiver;

static Receiver receivers[kReceivers];
static _Thread_local Receiver* self;
static pthread_barrier_t begin;

static void received(int signal, siginfo_t* info, void* context) {
    (void)context;
    self->wrong += info->si_value.sival_int != self->next[signal]++ || info->si_code != SI_QUEUE;
    ++self->received;
}

static void* sends(void* argument) {
    const int total = count(1000, 100000);
    const size_t own = (size_t)argument;
    self = &receivers[own];
    self->thread = pthread_self();
    pthread_barrier_wait(&begin);
    Receiver* const other = &receivers[(own + 1) % kReceivers];
    for (int i = 0; i < total; ++i) {
        const int signal = SIGRTMIN + i % (SIGRTMAX - SIGRTMIN + 1);
        const union sigval value = {.sival_int = self->sent[signal]++};
        int error;
        // The queue of a user's signals is finite.
        while ((error = pthread_sigqueue(other->thread, signal, value)) == EAGAIN) {
            sched_yield();
        }
        must(error == 0);
    }
    while (*(volatile int*)&self->received < total) {
        sched_yield();
    }
    // Its number has to be known while somebody sends.
    pthread_barrier_wait(&begin);
    return NULL;
}

static void signals(void) {
    struct sigaction action = {.sa_sigaction = received, .sa_flags = SA_SIGINFO | SA_RESTART};
    for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) {
        must(sigaction(signal, &action, NULL) == 0);
    }
    pthread_barrier_init(&begin, NULL, kReceivers);
    pthread_t threads[kReceivers];
    for (size_t i = 0; i < kReceivers; ++i) {
        must(pthread_create(&threads[i], NULL, sends, (void*)i) == 0);
    }
    int wrong = 0;
    long sum = 0;
    for (size_t i = 0; i < kReceivers; ++i) {
        pthread_join(threads[i], NULL);
        sum += receivers[i].received;
        wrong += receivers[i].wrong;
    }
    SAY("signals", "%ld, %d wrong", sum, wrong);
}

// ---- forks beside busy threads ----

static atomic_int stop;

static void* is_busy(void* argument) {
    for (unsigned i = 0; !atomic_load(&stop); ++i) {
        char* const text = malloc(100 + i % 5000);
        must(text != NULL);
        memset(text, 1, 100);
        free(text);
        if (i % 64 == 0) {
            char* const page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            must(page != MAP_FAILED);
            *page = 1;
            must(mprotect(page, 4096, PROT_READ) == 0 && munmap(page, 8192) == 0);
        }
    }
    return argument;
}

static void* adds_one(void* argument) { return (char*)argument + 1; }

static void forks(void) {
    const int total = count(10, 300);
    pthread_t threads[kBusy];
    for (int i = 0; i < kBusy; ++i) {
        must(pthread_create(&threads[i], NULL, is_busy, NULL) == 0);
    }
    int right = 0;
    for (int i = 0; i < total; ++i) {
        const pid_t child = fork();
        must(child != -1);
        if (child == 0) {
            // All that it has of the others' locks has to be free, and it can have threads of its own.
            pthread_t thread;
            void* value = NULL;
            free(malloc(100000));
            must(pthread_create(&thread, NULL, adds_one, (void*)6L) == 0 && pthread_join(thread, &value) == 0);
            _exit((int)(long)value);
        }
        const int status = wait_for(child);
        right += WIFEXITED(status) && WEXITSTATUS(status) == 7;
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < kBusy; ++i) {
        pthread_join(threads[i], NULL);
    }
    SAY("forks", "%d of %d", right, total);
}

// ---- execs ----

static void* executes(void* argument) {
    char* const arguments[] = {"storms", "chain", argument, NULL};
    execv("/proc/self/exe", arguments);
    abort();
}

// Beside busy threads, one that is not the first executes the program again, and so on.
static int chain(int left) {
    if (left == 0) {
        return 9;
    }
    char text[16];
    snprintf(text, sizeof(text), "%d", left - 1);
    pthread_t thread;
    for (int i = 0; i < kExecutors; ++i) {
        must(pthread_create(&thread, NULL, is_busy, NULL) == 0);
    }
    must(pthread_create(&thread, NULL, executes, text) == 0);
    pthread_join(thread, NULL);
    return 1;
}

static void* spawns(void* argument) {
    const int total = count(25, 1000);
    long right = 0;
    for (int i = 0; i < total; ++i) {
        char* const arguments[] = {"storms", "chain", "0", NULL};
        pid_t child = -1;
        must(posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ) == 0);
        const int status = wait_for(child);
        right += WIFEXITED(status) && WEXITSTATUS(status) == 9;
    }
    (void)argument;
    return (void*)right;
}

static void execs(void) {
    const pid_t child = fork();
    must(child != -1);
    if (child == 0) {
        char text[16];
        snprintf(text, sizeof(text), "%d", count(20, 1000));
        executes(text);
    }
    say_end("chain", wait_for(child));
    pthread_t threads[kSpawners];
    for (int i = 0; i < kSpawners; ++i) {
        must(pthread_create(&threads[i], NULL, spawns, NULL) == 0);
    }
    long right = 0;
    for (int i = 0; i < kSpawners; ++i) {
        void* value = NULL;
        pthread_join(threads[i], &value);
        right += (long)value;
    }
    SAY("spawns", "%ld of %d", right, kSpawners * count(25, 1000));
}

// ---- threads ----

static void* creates(void* argument) {
    const int total = count(1000, 25000);
    for (int i = 0; i < total; ++i) {
        pthread_t thread;
        void* value = NULL;
        must(pthread_create(&thread, NULL, adds_one, (void*)(long)i) == 0);
        must(pthread_join(thread, &value) == 0 && value == (void*)(long)(i + 1));
    }
    return argument;
}

static void create(void) {
    pthread_t threads[kCreators];
    for (int i = 0; i < kCreators; ++i) {
        must(pthread_create(&threads[i], NULL, creates, NULL) == 0);
    }
    for (int i = 0; i < kCreators; ++i) {
        pthread_join(threads[i], NULL);
    }
}

static long resident_kib(void) {
    FILE* const file = fopen("/proc/self/statm", "r");
    long size = 0;
    long resident = 0;
    must(file != NULL && fscanf(file, "%ld %ld", &size, &resident) == 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void threads(void) {
    enum { kMoreKib = 4096 };
    // A sanitizer keeps what it knew of each thread.
    const char* const sanitizer = getenv("WEFT_TEST_SANITIZER");
    const int measured = sanitizer == NULL || strcmp(sanitizer, "none") == 0;
    create();
    const long before = resident_kib();
    create();
    const long more = resident_kib() - before;
    SAY("threads", "%s", measured && more > kMoreKib ? "more memory at the end" : "as much memory at the end");
}

int main(int argc, char** argv) {
    if (argc == 3) {
        return chain(atoi(argv[2]));
    }
    signals();
    forks();
    execs();
    threads();
}
