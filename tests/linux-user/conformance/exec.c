// execve and posix_spawn: what the new program gets, and errors that change nothing.
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "say.h"

extern char** environ;
static char self[PATH_MAX];

static void write_file(const char* name, const char* text, int mode) {
    int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, mode);
    if (write(fd, text, strlen(text)) == -1) {
        perror(name);
    }
    fchmod(fd, (mode_t)mode);
    close(fd);
}

// What a program was given: run as "child ...".
static int child(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        SAY("argument", "%s", argv[i]);
    }
    for (char** each = environ; *each; ++each) {
        SAY("variable", "%s", *each);
    }
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    SAY("blocked", "%d %d", sigismember(&mask, SIGUSR1), sigismember(&mask, SIGUSR2));
    struct sigaction action;
    sigaction(SIGUSR2, NULL, &action);
    SAY("ignored", "%d", action.sa_handler == SIG_IGN);
    sigaction(SIGHUP, NULL, &action);
    SAY("default", "%d", action.sa_handler == SIG_DFL);
    SAY("closed", "%s", result(fcntl(100, F_GETFD)));
    SAY("open", "%s", result(fcntl(101, F_GETFD)));
    return 33;
}

static void nothing(int signal) { (void)signal; }

static void runs(void) {
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t mask;
        sigemptyset(&mask);
        sigaddset(&mask, SIGUSR1);
        sigprocmask(SIG_SETMASK, &mask, NULL);
        signal(SIGUSR2, SIG_IGN);
        signal(SIGHUP, nothing);
        dup3(1, 100, O_CLOEXEC);
        dup2(1, 101);
        char* arguments[] = {"any name", "child", "", "a b", "-x", NULL};
        char* variables[] = {"A=1", "LD_LIBRARY_PATH=/none,/no", "EMPTY=", NULL};
        execve(self, arguments, variables);
        _exit(99);
    }
    say_end("execve", wait_for(pid));
}

static void try_exec(const char* what, const char* path) {
    char* arguments[] = {"x", "child", NULL};
    char* variables[] = {NULL};
    execve(path, arguments, variables);
    SAY(what, "%s", strerrorname_np(errno));
}

static void errors(void) {
    write_file("empty", "", 0755);
    write_file("text", "no program", 0755);
    write_file("short", "\177ELF", 0755);
    write_file("forbidden", "#!/bin/sh\n", 0644);
    write_file("missing", "#!/no/such/interpreter\n", 0755);
    write_file("loop", "#!./loop\n", 0755);
    mkdir("folder", 0755);
    try_exec("not there", "./none");
    try_exec("no name", "");
    try_exec("a folder", "./folder");
    try_exec("below a file", "./text/x");
    try_exec("empty", "./empty");
    try_exec("text", "./text");
    try_exec("short", "./short");
    try_exec("missing interpreter", "./missing");
    try_exec("loop", "./loop");
    CALL(syscall(SYS_execve, NULL, NULL, NULL));
    CALL(syscall(SYS_execve, 1L, NULL, NULL));
    CALL(syscall(SYS_execve, "./text", 1L, NULL));
    CALL(syscall(SYS_execveat, AT_FDCWD, "./none", NULL, NULL, 0));
    CALL(syscall(SYS_execveat, 77, "none", NULL, NULL, 0));
    CALL(syscall(SYS_execveat, AT_FDCWD, "", NULL, NULL, 0));
    CALL(syscall(SYS_execveat, AT_FDCWD, "./none", NULL, NULL, 0x10));
    int fd = open("text", O_WRONLY);
    close(fd);
}

// One string, named so often that all of them together are too many. What is refused is not copied either.
static void too_much(void) {
    enum { kLength = 100 << 10, kTimes = 3000 };
    static char text[kLength];
    static char* arguments[kTimes + 1];
    memset(text, 'a', kLength - 1);
    for (int i = 0; i < kTimes; ++i) {
        arguments[i] = text;
    }
    char* variables[] = {NULL};
    execve(self, arguments, variables);
    SAY("too many arguments", "%s", strerrorname_np(errno));
    arguments[1] = NULL;
    execve(self, arguments + 2, arguments + 2);
    SAY("too many variables", "%s", strerrorname_np(errno));
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    SAY("copied", "%d", usage.ru_maxrss > 250000);
}

static void scripts(void) {
    char script[PATH_MAX + 64];
    snprintf(script, sizeof(script), "#!%s child one argument\n", self);
    write_file("script", script, 0755);
    pid_t pid = fork();
    if (pid == 0) {
        char* arguments[] = {"name", "two", NULL};
        char* variables[] = {NULL};
        execve("./script", arguments, variables);
        _exit(99);
    }
    say_end("script", wait_for(pid));
}

static void by_descriptor(void) {
    for (int flags = 0; flags <= O_CLOEXEC; flags += O_CLOEXEC) {
        pid_t pid = fork();
        if (pid == 0) {
            int fd = open(self, O_RDONLY | flags);
            char* arguments[] = {"fd", "child", NULL};
            char* variables[] = {NULL};
            syscall(SYS_execveat, fd, "", arguments, variables, AT_EMPTY_PATH);
            _exit(99);
        }
        say_end("by descriptor", wait_for(pid));
    }
}

static void try_below(const char* what, int folder, const char* name, int flags) {
    const pid_t pid = fork();
    if (pid == 0) {
        char* arguments[] = {"below", "child", NULL};
        char* variables[] = {NULL};
        syscall(SYS_execveat, folder, name, arguments, variables, flags);
        SAY(what, "%s", strerrorname_np(errno));
        _exit(99);
    }
    say_end(what, wait_for(pid));
}

// Links that are not followed, and descriptors that are closed: a script's interpreter cannot open it by them.
static void below_a_folder(void) {
    char script[PATH_MAX + 64];
    snprintf(script, sizeof(script), "#!%s child\n", self);
    write_file("below", script, 0755);
    SAY("link", "%s", result(symlink(self, "link")));
    try_below("here", AT_FDCWD, "./link", 0);
    try_below("here, not followed", AT_FDCWD, "./link", AT_SYMLINK_NOFOLLOW);
    try_below("the program", AT_FDCWD, "/proc/self/exe", 0);
    for (int flags = 0; flags <= O_CLOEXEC; flags += O_CLOEXEC) {
        const int folder = open(".", O_RDONLY | O_DIRECTORY | flags);
        const int file = open("below", O_RDONLY | flags);
        const int link = open("link", O_RDONLY | flags);
        try_below("below", folder, "link", 0);
        try_below("not followed", folder, "link", AT_SYMLINK_NOFOLLOW);
        try_below("followed before", link, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
        try_below("script below", folder, "below", 0);
        try_below("script", file, "", AT_EMPTY_PATH);
        try_below("nothing below", folder, "none", 0);
        try_below("folder", folder, "", AT_EMPTY_PATH);
        close(folder);
        close(file);
        close(link);
    }
}

static void spawns(void) {
    pid_t pid = 0;
    char* arguments[] = {"spawned", "child", NULL};
    char* variables[] = {"S=1", NULL};
    const int error = posix_spawn(&pid, self, NULL, NULL, arguments, variables);
    say_end("spawned", wait_for(pid));
    SAY("spawn", "%d", error);
    SAY("spawn of nothing", "%d", posix_spawn(&pid, "./none", NULL, NULL, arguments, variables) == ENOENT);
    SAY("still here", "%d", waitpid(-1, NULL, 0) > 0);
}

static void* run(void* unused) {
    (void)unused;
    char* arguments[] = {"thread", "child", NULL};
    char* variables[] = {NULL};
    execve(self, arguments, variables);
    return NULL;
}

static void from_a_thread(void) {
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, run, NULL);
        pthread_join(thread, NULL);
        _exit(98);
    }
    say_end("from a thread", wait_for(pid));
}

int main(int argc, char** argv) {
    if (argc > 1 && strncmp(argv[1], "child", 5) == 0) {
        return child(argc, argv);
    }
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    SAY("self", "%d", length > 0 && access(self, X_OK) == 0);
    runs();
    errors();
    too_much();
    scripts();
    by_descriptor();
    below_a_folder();
    spawns();
    from_a_thread();
    return 0;
}
