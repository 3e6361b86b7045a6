// Threads: by the hundred, their own data, cancellation, robust and inheriting mutexes, conditions, barriers, users.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>

#include "say.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int own = 1;
static long total;

static void* add(void* number) {
    own += (int)(long)number;
    for (int i = 0; i < 1000; ++i) {
        pthread_mutex_lock(&mutex);
        ++total;
        pthread_mutex_unlock(&mutex);
    }
    return (void*)(long)own;
}

static void many(void) {
    enum { kThreads = 200 };
    static pthread_t threads[kThreads];
    long sum = 0;
    for (long i = 0; i < kThreads; ++i) {
        pthread_create(&threads[i], NULL, add, (void*)i);
    }
    for (int i = 0; i < kThreads; ++i) {
        void* value;
        pthread_join(threads[i], &value);
        sum += (long)value;
    }
    SAY("many", "%ld %ld %d", total, sum, own);
}

static void* nothing(void* argument) { return argument; }

static void storm(void) {
    for (int i = 0; i < 2000; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0) {
            SAY("storm", "failed at %d", i);
            return;
        }
    }
    SAY("storm", "done");
}

static void* dies_with(void* held) {
    pthread_mutex_lock(held);
    return NULL;
}

static void robust(int protocol) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    pthread_mutex_t held;
    pthread_mutex_init(&held, &attributes);
    pthread_t thread;
    pthread_create(&thread, NULL, dies_with, &held);
    pthread_join(thread, NULL);
    SAY("owner dead", "%s", strerrorname_np(pthread_mutex_lock(&held)));
    SAY("consistent", "%d", pthread_mutex_consistent(&held));
    SAY("unlock", "%d", pthread_mutex_unlock(&held));
    SAY("lock", "%d", pthread_mutex_lock(&held));
    pthread_mutex_unlock(&held);
}

static void* waits_for_ever(void* unused) {
    (void)unused;
    while (1) {
        pause();
    }
    return NULL;
}

static void cancels(void) {
    pthread_t thread;
    void* value;
    pthread_create(&thread, NULL, waits_for_ever, NULL);
    pthread_cancel(thread);
    pthread_join(thread, &value);
    SAY("cancelled", "%d", value == PTHREAD_CANCELED);
}

static pthread_barrier_t barrier;
static void* meets(void* unused) {
    (void)unused;
    return (void*)(long)(pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD);
}

static void barriers(void) {
    pthread_t threads[8];
    long serial = 0;
    pthread_barrier_init(&barrier, NULL, 8);
    for (int i = 0; i < 8; ++i) {
        pthread_create(&threads[i], NULL, meets, NULL);
    }
    for (int i = 0; i < 8; ++i) {
        void* value;
        pthread_join(threads[i], &value);
        serial += (long)value;
    }
    SAY("barrier", "%ld", serial);
}

static void timeouts(void) {
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    pthread_mutex_lock(&mutex);
    SAY("condition", "%s", strerrorname_np(pthread_cond_timedwait(&condition, &mutex, &deadline)));
    pthread_mutex_unlock(&mutex);
    sem_t semaphore;
    sem_init(&semaphore, 0, 1);
    SAY("semaphore", "%d", sem_wait(&semaphore));
    SAY("semaphore", "%s", result(sem_timedwait(&semaphore, &deadline)));
}

static void numbers(void) {
    SAY("tid", "%d", (int)syscall(SYS_gettid) == getpid());
    SAY("set_tid_address", "%d", (int)syscall(SYS_set_tid_address, NULL) == getpid());
    SAY("set_robust_list", "%s", result(syscall(SYS_set_robust_list, NULL, 1)));
    size_t stack_size;
    void* stack;
    pthread_attr_t attributes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &stack, &stack_size);
    SAY("stack", "%d", (char*)&stack > (char*)stack && (char*)&stack < (char*)stack + stack_size);
}

// Linux knows of each thread's user alone: the C library has each thread make the call, by its signal 33.
static int may_say[2];
static atomic_int changed;

static void* waits_in_a_call(void* unused) {
    (void)unused;
    char byte;
    if (read(may_say[0], &byte, 1) != 1) {
        return NULL;
    }
    return (void*)(long)(getuid() + getgid());
}
static void* waits_in_a_loop(void* unused) {
    (void)unused;
    while (atomic_load(&changed) == 0) {
    }
    return (void*)(long)(getuid() + getgid());
}

static void users(const char* what) {
    pthread_t waiting;
    pthread_t computing;
    CALL(pipe(may_say));
    atomic_store(&changed, 0);
    pthread_create(&waiting, NULL, waits_in_a_call, NULL);
    pthread_create(&computing, NULL, waits_in_a_loop, NULL);
    // Refused unless root runs it; the second has nothing to change, and goes to all threads as well.
    const int user = setuid(1000);
    const int group = setgid(getgid());
    atomic_store(&changed, 1);
    CALL(write(may_say[1], "", 1));
    void* first;
    void* second;
    pthread_join(waiting, &first);
    pthread_join(computing, &second);
    const long own = (long)getuid() + getgid();
    SAY(what, "%d %d %d %d", user, group, (long)first == own, (long)second == own);
}

static void users_of_a_child(void) {
    const pid_t child = fork();
    if (child == 0) {
        users("a child's users");
        _exit(0);
    }
    int status = 0;
    SAY("a child", "%d", waitpid(child, &status, 0) == child);
    SAY("a child", "%d", status);
}

enum { kAlone = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID };
static volatile int alone_tid;
static int may_name;

// In a thread that has its maker's thread pointer: no more than calls.
static int goes_away(void* unused) {
    (void)unused;
    dup2(1, 70);
    if (chdir("/") == 0 && may_name) {
        sethostname("of-a-thread", 11);
    }
    return 0;
}

// Made by clone itself, with some of what threads share.
static void alone(const char* what, int flags) {
    static char stack[65536] __attribute__((aligned(16)));
    char before[200] = "";
    char after[200] = "";
    getcwd(before, sizeof(before)) != NULL ? (void)0 : abort();
    const int tid = clone(goes_away, stack + sizeof(stack), kAlone | flags, NULL, &alone_tid, NULL, &alone_tid);
    SAY(what, "%s", tid > 0 ? "made" : result(tid));
    if (tid <= 0) {
        return;
    }
    while (alone_tid != 0) {
        syscall(SYS_futex, &alone_tid, 0 /* FUTEX_WAIT */, tid, NULL, NULL, 0);
    }
    getcwd(after, sizeof(after)) != NULL ? (void)0 : abort();
    SAY("shared folder", "%d", strcmp(before, after) != 0);
    SAY("shared files", "%s", result(fcntl(70, F_GETFD)));
    close(70);
    chdir(before) == 0 ? (void)0 : abort();
}

static void with_their_own(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        // Where the host's name may be set, it is of this child alone.
        may_name = unshare(CLONE_NEWUTS) == 0;
        SAY("own names", "%d", may_name);
        struct utsname names;
        alone("all shared", CLONE_FS | CLONE_FILES | CLONE_SYSVSEM);
        alone("own files", CLONE_FS);
        alone("own folder", CLONE_FILES);
        alone("all its own", 0);
        may_name ? sethostname("before", 6) : 0;
        alone("own names", CLONE_NEWUTS);
        uname(&names);
        SAY("its name", "%d", strcmp(names.nodename, "of-a-thread") == 0);
        alone("own users", CLONE_NEWUSER);
        alone("own numbers", CLONE_NEWPID);
        alone("semaphores of others", CLONE_NEWIPC | CLONE_SYSVSEM);
        alone("mounts of others", CLONE_NEWNS | CLONE_FS);
        _exit(0);
    }
    say_end("with their own", wait_for(pid));
}

int main(void) {
    many();
    storm();
    robust(PTHREAD_PRIO_NONE);
    robust(PTHREAD_PRIO_INHERIT);
    cancels();
    barriers();
    timeouts();
    numbers();
    with_their_own();
    users_of_a_child();
    users("users");
    return 0;
}
