// What /proc shows of one process to another: its arguments, also when it writes over them, environment, name and program.
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "say.h"

static char self[PATH_MAX];

static const char* proc(pid_t process, const char* file) {
    static char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", process, file);
    return path;
}

// A file's bytes, 0 as '|', a name that depends on the build as "SELF".
static void say_file(const char* what, pid_t process, const char* file) {
    char text[4096];
    const int fd = open(proc(process, file), O_RDONLY);
    const ssize_t length = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);
    if (length < 0) {
        SAY(what, "%s: %s", file, strerrorname_np(errno));
        return;
    }
    close(fd);
    for (ssize_t i = 0; i < length; ++i) {
        if (text[i] == 0) {
            text[i] = '|';
        }
    }
    text[length] = 0;
    const size_t own = strlen(self);
    const char* shown = text;
    if (strncmp(text, self, own) == 0) {
        memcpy(text + own - 4, "SELF", 4);
        shown = text + own - 4;
    }
    SAY(what, "%s: %s", file, shown);
}

static void say_program(const char* what, pid_t process) {
    char name[PATH_MAX];
    const ssize_t length = readlink(proc(process, "exe"), name, sizeof(name) - 1);
    if (length < 0) {
        SAY(what, "exe: %s", strerrorname_np(errno));
        return;
    }
    name[length] = 0;
    SAY(what, "exe: %s", strcmp(name, self) == 0 ? "this program" : name);
    struct stat own;
    struct stat other;
    stat(self, &own);
    SAY(what, "stat: %s", result(stat(proc(process, "exe"), &other)));
    SAY(what, "the same file: %d", own.st_ino == other.st_ino && own.st_dev == other.st_dev);
    SAY(what, "lstat: %s", result(lstat(proc(process, "exe"), &other)));
    SAY(what, "a link: %d", S_ISLNK(other.st_mode));
    Elf64_Ehdr mine;
    Elf64_Ehdr header;
    int fd = open("/proc/self/exe", O_RDONLY);
    SAY(what, "read: %s", result(read(fd, &mine, sizeof(mine))));
    close(fd);
    fd = open(proc(process, "exe"), O_RDONLY);
    SAY(what, "read: %s", result(read(fd, &header, sizeof(header))));
    close(fd);
    SAY(what, "the same header: %d", memcmp(&mine, &header, sizeof(mine)) == 0);
    // From the folder's descriptor, and by the thread.
    const int folder = open(proc(process, "."), O_PATH | O_DIRECTORY);
    SAY(what, "readlinkat: %d", readlinkat(folder, "exe", name, sizeof(name)) == length && memcmp(name, self, (size_t)length) == 0);
    close(folder);
    char of_task[64];
    snprintf(of_task, sizeof(of_task), "/proc/%d/task/%d/exe", process, process);
    SAY(what, "of the thread: %d", readlink(of_task, name, sizeof(name)) == length && memcmp(name, self, (size_t)length) == 0);
}

// The lengths that stat(5) tells of arguments and environment.
static void say_lengths(const char* what, pid_t process) {
    char text[1024] = "";
    const int fd = open(proc(process, "stat"), O_RDONLY);
    text[read(fd, text, sizeof(text) - 1)] = 0;
    close(fd);
    unsigned long fields[64] = {0};
    int number = 3;
    for (char* word = strtok(strrchr(text, ')') + 1, " "); word != NULL && number < 64; word = strtok(NULL, " ")) {
        fields[number++] = strtoul(word, NULL, 10);
    }
    SAY(what, "arguments %lu, environment %lu, code %d", fields[49] - fields[48], fields[51] - fields[50], fields[27] > fields[26]);
}

static int to_parent = -1, to_child = -1;

static void step(void) {
    char byte = 0;
    if (write(to_parent, &byte, 1) != 1 || read(to_child, &byte, 1) != 1) {
        _exit(99);
    }
}

// The program that is looked at: `arguments` are "NAME one  three".
static int looked_at(char** arguments) {
    to_parent = STDOUT_FILENO;
    to_child = STDIN_FILENO;
    step();
    memset(arguments[0], 'x', strlen(arguments[0]));
    memcpy(arguments[1], "ONE", 3);
    prctl(PR_SET_NAME, "renamed");
    step();
    // As programs that say what they do: without an end, so that it goes on in the environment.
    char* const end = arguments[3] + strlen(arguments[3]) + 1;
    memset(arguments[0], 's', (size_t)(end - arguments[0]));
    step();
    return 0;
}

int main(int argc, char** argv) {
    self[readlink("/proc/self/exe", self, sizeof(self) - 1)] = 0;
    if (argc > 1) {
        return looked_at(argv);
    }
    int down[2];
    int up[2];
    if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0) {
        return 1;
    }
    to_child = down[0];
    to_parent = up[1];
    const pid_t child = fork();
    if (child == 0) {
        step();
        dup2(down[0], STDIN_FILENO);
        dup2(up[1], STDOUT_FILENO);
        char* const arguments[] = {"the child", "one", "", "three", NULL};
        char* const environment[] = {"A=first", "LD_SOMETHING=x", "B=last", NULL};
        // Another process's program, which is the same.
        execve(proc(getppid(), "exe"), arguments, environment);
        _exit(98);
    }
    // Who waits for a child that is gone shall notice.
    close(down[0]);
    close(up[1]);
    char byte = 0;
    const char* const steps[] = {"forked", "executed", "written over", "without an end"};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); ++i) {
        if (read(up[0], &byte, 1) != 1) {
            return 1;
        }
        if (i == 0) {
            // The test's own environment is of no interest.
            say_file(steps[i], child, "cmdline");
            say_program(steps[i], child);
        } else {
            say_file(steps[i], child, "cmdline");
            say_file(steps[i], child, "environ");
            say_lengths(steps[i], child);
            say_program(steps[i], child);
        }
        // The name before it is set differs: weft executes what the link leads to, under that name.
        if (i > 1) {
            say_file(steps[i], child, "comm");
        }
        if (write(down[1], &byte, 1) != 1) {
            return 1;
        }
    }
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    say_file("ended", child, "cmdline");
    say_program("ended", child);
    say_end("waited", wait_for(child));
    say_file("gone", child, "cmdline");
    say_program("gone", child);
    // One that is none of the program's: whoever started it, or who is there always.
    char name[PATH_MAX];
    SAY("own folder", "%s", result(readlink("/proc/self/exe", name, sizeof(name)) == (ssize_t)strlen(self)));
    SAY("no number", "%s", result(readlink("/proc/sys/exe", name, sizeof(name))));
    SAY("no process", "%s", result(readlink("/proc/999999999/exe", name, sizeof(name))));
    return 0;
}
