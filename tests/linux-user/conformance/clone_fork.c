// fork, vfork and clone: what the child has of its parent, and what the parent learns of its end.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "say.h"

static int private_word = 1;

static void forks(void) {
    int* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *shared = 1;
    pid_t child = fork();
    if (child == 0) {
        private_word = 2;
        *shared = getppid() > 0 ? 5 : 0;
        _exit(private_word + 40);
    }
    say_end("fork", wait_for(child));
    SAY("words", "%d %d", private_word, *shared);
    for (int signal = 1; signal < 32; ++signal) {
        if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
            continue;
        }
        if ((child = fork()) == 0) {
            struct rlimit none = {0, 0};
            setrlimit(RLIMIT_CORE, &none);
            raise(signal);
            _exit(7);
        }
        char what[32];
        snprintf(what, sizeof(what), "raise %d", signal);
        say_end(what, wait_for(child));
    }
    CALL(waitpid(-1, NULL, 0));
}

static void stops(void) {
    int ends[2];
    if (pipe(ends) != 0) {
        abort();
    }
    pid_t child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        // Until its parent has seen that it goes on.
        char byte;
        _exit(read(ends[0], &byte, 1) == 1 ? 3 : 4);
    }
    int status = 0;
    waitpid(child, &status, WUNTRACED);
    say_end("stopped", status);
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    SAY("continued", "%d", WIFCONTINUED(status) != 0);
    if (write(ends[1], "x", 1) != 1) {
        abort();
    }
    say_end("then", wait_for(child));
}

static void vforks(void) {
    volatile int told = 0;
    pid_t child = vfork();
    if (child == 0) {
        told = 17;
        _exit(9);
    }
    // The child has run before its parent goes on, in the same memory.
    SAY("vfork told", "%d", told);
    say_end("vfork", wait_for(child));
}

static void advice(void) {
    char* pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pages[0] = pages[4096] = pages[2 * 4096] = 1;
    madvise(pages, 4096, MADV_DONTFORK);
    madvise(pages + 4096, 4096, MADV_WIPEONFORK);
    pid_t child = fork();
    if (child == 0) {
        SAY("wiped", "%d %d", pages[4096], pages[2 * 4096]);
        unsigned char vector[1];
        SAY("left out", "%s", result(mincore(pages, 4096, vector)));
        _exit(pages[0]);  // a fault
    }
    say_end("advice", wait_for(child));
}

static void* forker(void* argument) {
    pid_t child = fork();
    if (child == 0) {
        // A process of one thread, which may make others.
        *(int*)argument = 1;
        _exit(11);
    }
    return (void*)(long)wait_for(child);
}

static void* spin(void* stop) {
    while (!__atomic_load_n((int*)stop, __ATOMIC_RELAXED)) {
        free(malloc(100));
    }
    return NULL;
}

static void in_threads(void) {
    int stop = 0;
    pthread_t busy[4];
    for (int i = 0; i < 4; ++i) {
        pthread_create(&busy[i], NULL, spin, &stop);
    }
    for (int i = 0; i < 20; ++i) {
        pthread_t thread;
        int word = 0;
        void* status;
        pthread_create(&thread, NULL, forker, &word);
        pthread_join(thread, &status);
        if (!WIFEXITED((int)(long)status) || WEXITSTATUS((int)(long)status) != 11 || word != 0) {
            SAY("forker", "%lx %d", (long)status, word);
        }
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 4; ++i) {
        pthread_join(busy[i], NULL);
    }
    SAY("in threads", "done");
}

static void* exits_alone(void* word) {
    usleep(1000);
    *(int*)word = 1;
    return NULL;
}

static void first_thread_ends(void) {
    pid_t child = fork();
    if (child == 0) {
        int* word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        pthread_t thread;
        pthread_create(&thread, NULL, exits_alone, word);
        syscall(SYS_exit, 21);
    }
    // With the status of whichever thread is the last.
    SAY("first thread ends", "%d", WIFEXITED(wait_for(child)));
}

static void errors(void) {
    CALL(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0));
    CALL(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
    CALL(syscall(SYS_clone3, NULL, 64));
    CALL(syscall(SYS_clone3, NULL, 8));
    CALL(syscall(SYS_clone3, NULL, 100000));
}

int main(void) {
    forks();
    stops();
    vforks();
    advice();
    in_threads();
    first_thread_ends();
    errors();
    return 0;
}
