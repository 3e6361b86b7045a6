// Runs a command where it can do no harm, whatever calls it makes: in namespaces of its own, as a root that is none outside.
//
//   sandbox FOLDER COMMAND...
//
// FOLDER becomes a filesystem of its own, in memory, and the working folder. Exit code 77 where the kernel does not allow it, otherwise the command's.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kSkipped = 77 };

static int put(pid_t pid, const char* name, const char* text) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    const int fd = open(path, O_WRONLY);
    const int done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return done;
}

// From outside: all users if that may be, or this one.
static int map_users(pid_t pid) {
    char text[64];
    if (put(pid, "uid_map", "0 0 65536") && put(pid, "gid_map", "0 0 65536")) {
        return 1;
    }
    snprintf(text, sizeof(text), "0 %d 1", getuid());
    if (!put(pid, "uid_map", text) || !put(pid, "setgroups", "deny")) {
        return 0;
    }
    snprintf(text, sizeof(text), "0 %d 1", getgid());
    return put(pid, "gid_map", text);
}

static int end_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

int main(int argc, char** argv) {
    int ready[2], mapped[2];
    char byte = 0;
    if (argc < 3 || pipe(ready) != 0 || pipe(mapped) != 0) {
        return 2;
    }
    const pid_t outer = getpid();
    const pid_t mapper = fork();
    if (mapper == 0) {
        close(ready[1]);
        byte = read(ready[0], &byte, 1) == 1 && map_users(outer);
        return write(mapped[1], &byte, 1) == 1 ? 0 : 1;
    }
    const int flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;
    byte = 1;
    if (unshare(flags) != 0 || write(ready[1], &byte, 1) != 1 || read(mapped[0], &byte, 1) != 1 || byte != 1) {
        fprintf(stderr, "no namespaces here: %s\n", strerror(errno));
        return kSkipped;
    }
    close(ready[0]), close(ready[1]), close(mapped[0]), close(mapped[1]);
    waitpid(mapper, NULL, 0);
    // Whoever waits for this ends: so does all of it. Another user forgets what was asked before.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const pid_t init = fork();
    if (init != 0) {
        int status = 0;
        waitpid(init, &status, 0);
        return end_of(status);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", argv[1], "tmpfs", 0, "mode=0777") != 0 || chdir(argv[1]) != 0) {
        fprintf(stderr, "no filesystem here: %s\n", strerror(errno));
        return kSkipped;
    }
    mount("proc", "/proc", "proc", 0, NULL);  // where it may not be, the one outside does
    const pid_t command = fork();
    if (command == 0) {
        execv(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    for (int status = 0;;) {
        const pid_t ended = wait(&status);
        if (ended == command) {
            return end_of(status);
        }
    }
}
