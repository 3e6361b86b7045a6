// What conformance programs share: they print one line for each thing they look at, the same on every machine where it is right.
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

// "what: value", at once: forked children have nothing of it in their buffers.
#define SAY(what, ...)        \
    do {                      \
        printf("%s: ", what); \
        printf(__VA_ARGS__);  \
        printf("\n");         \
        fflush(stdout);       \
    } while (0)

// The result of a call: the value, or the error's name.
static inline const char* result(long value) {
    static _Thread_local char text[64];
    if (value == -1) {
        snprintf(text, sizeof(text), "%s", strerrorname_np(errno));
    } else {
        snprintf(text, sizeof(text), "%ld", value);
    }
    return text;
}
#define CALL(call) SAY(#call, "%s", result((long)(call)))
// As CALL where the value is of no interest.
#define DONE(call) SAY(#call, "%s", (long)(call) == -1 ? strerrorname_np(errno) : "done")

// Bad arguments that compilers would find.
static void* volatile nowhere __attribute__((unused)) = (void*)8;
static volatile int minus_one __attribute__((unused)) = -1;

// How a child ended.
static inline void say_end(const char* what, int status) {
    if (WIFEXITED(status)) {
        SAY(what, "exit %d", WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        SAY(what, "signal %d", WTERMSIG(status));
    } else if (WIFSTOPPED(status)) {
        SAY(what, "stopped %d", WSTOPSIG(status));
    } else {
        SAY(what, "status %x", status);
    }
}

static inline int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) == -1 && errno == EINTR) {
    }
    return status;
}
