// What descriptors are told of files: locks, leases, owners of signals, and events of inotify and fanotify.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "say.h"

static int fresh(const char* name) { return open(name, O_RDWR | O_CREAT | O_TRUNC, 0600); }

static long get_lock(int fd, int command, struct flock* lock, short type) {
    *lock = (struct flock){.l_type = type, .l_whence = SEEK_SET};
    return fcntl(fd, command, lock);
}

static void locks(void) {
    const int fd = fresh("locked");
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};
    CALL(fcntl(fd, F_SETLK, &lock));
    CALL(get_lock(fd, F_GETLK, &lock, F_WRLCK));
    SAY("own", "%d", lock.l_type == F_UNLCK);
    const pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        CALL(get_lock(fd, F_GETLK, &lock, F_RDLCK));
        SAY("parent's", "%d %ld %ld %d", lock.l_type == F_WRLCK, (long)lock.l_start, (long)lock.l_len, lock.l_pid == parent);
        lock = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1};
        CALL(fcntl(fd, F_SETLK, &lock));
        lock = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 30, .l_len = 5};
        CALL(fcntl(fd, F_SETLK, &lock));
        // Of an open file: another opening of it is somebody else, the process notwithstanding.
        const int other = open("locked", O_RDWR);
        lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1};
        CALL(fcntl(other, F_OFD_SETLK, &lock));
        lock = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1};
        CALL(fcntl(fd, F_OFD_GETLK, &lock));
        SAY("of a file", "%d %d", lock.l_type == F_WRLCK, (int)lock.l_pid);
        CALL(fcntl(fd, F_OFD_SETLK, &lock));
        _exit(0);
    }
    say_end("child", wait_for(child));
    lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = -5, .l_len = 1};
    CALL(fcntl(fd, F_SETLK, &lock));
    lock.l_type = 77;
    CALL(fcntl(fd, F_SETLK, &lock));
    CALL(fcntl(fd, F_SETLK, nowhere));
    lock = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_pid = 1};
    CALL(fcntl(fd, F_OFD_SETLK, &lock));
    CALL(flock(fd, LOCK_EX));
    const int other = open("locked", O_RDWR);
    CALL(flock(other, LOCK_SH | LOCK_NB));
    CALL(flock(fd, LOCK_UN));
    CALL(flock(other, LOCK_SH | LOCK_NB));
    CALL(flock(other, 99));
    close(other);
    close(fd);
}

static volatile int got_signal, got_fd, got_code, got_band;

static void on_signal(int signal, siginfo_t* info, void* context) {
    (void)context;
    got_signal = signal;
    got_fd = info->si_fd;
    got_code = info->si_code;
    got_band = (int)info->si_band;
}

static void owners(void) {
    const struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGIO, &action, NULL);
    sigaction(SIGRTMIN + 3, &action, NULL);
    int ends[2];
    CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    CALL(fcntl(ends[0], F_GETOWN));
    CALL(fcntl(ends[0], F_SETOWN, getpid()));
    CALL(fcntl(ends[0], F_GETOWN) == getpid());
    CALL(fcntl(ends[0], F_SETOWN, -getpgrp()));
    // The C library asks by F_GETOWN_EX.
    CALL(fcntl(ends[0], F_GETOWN) == -getpgrp());
    struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = gettid()};
    CALL(fcntl(ends[0], F_SETOWN_EX, &owner));
    owner = (struct f_owner_ex){0};
    CALL(fcntl(ends[0], F_GETOWN_EX, &owner));
    SAY("owner", "%d %d", owner.type == F_OWNER_TID, owner.pid == gettid());
    owner.type = 77;
    CALL(fcntl(ends[0], F_SETOWN_EX, &owner));
    CALL(fcntl(ends[0], F_SETSIG, SIGRTMIN + 3));
    CALL(fcntl(ends[0], F_GETSIG) == SIGRTMIN + 3);
    CALL(fcntl(ends[0], F_SETSIG, 99));
    CALL(fcntl(ends[0], F_SETFL, O_ASYNC));
    CALL(write(ends[1], "x", 1));
    SAY("told", "%d %d %d %d", got_signal == SIGRTMIN + 3, got_fd == ends[0], got_code == POLL_IN, got_band);
    int group = 0;
    CALL(ioctl(ends[0], FIOGETOWN, &group));
    SAY("by ioctl", "%d", group == gettid());
    close(ends[0]);
    close(ends[1]);
    // A lease is broken by whoever opens the file otherwise.
    const int fd = open("leased", O_RDONLY | O_CREAT, 0600);
    CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
    CALL(fcntl(fd, F_GETLEASE) == F_RDLCK);
    CALL(open("leased", O_WRONLY | O_NONBLOCK));
    SAY("broken", "%d", got_signal == SIGIO);
    CALL(fcntl(fd, F_SETLEASE, F_UNLCK));
    CALL(fcntl(fd, F_SETLEASE, 77));
    // By dnotify.
    const int folder = open(".", O_RDONLY | O_DIRECTORY);
    got_signal = 0;
    CALL(fcntl(folder, F_NOTIFY, DN_CREATE));
    close(fresh("noticed"));
    SAY("dnotify", "%d", got_signal == SIGIO);
    CALL(fcntl(fd, F_NOTIFY, DN_CREATE));
    uint64_t hint = 3;  // RWH_WRITE_LIFE_MEDIUM
    CALL(fcntl(fd, 1036 /* F_SET_RW_HINT */, &hint));
    hint = 0;
    CALL(fcntl(fd, 1035 /* F_GET_RW_HINT */, &hint));
    SAY("hint", "%d", (int)hint);
    close(folder);
    close(fd);
}

static void say_events(int fd) {
    char buffer[4096] __attribute__((aligned(8)));
    const ssize_t size = read(fd, buffer, sizeof(buffer));
    if (size < 0) {
        SAY("events", "%s", strerrorname_np(errno));
        return;
    }
    static uint32_t cookie;
    for (const char* at = buffer; at < buffer + size;) {
        const struct inotify_event* event = (const struct inotify_event*)at;
        SAY("event", "%d %x %d %s", event->wd, event->mask, event->cookie != 0 && event->cookie == cookie, event->len != 0 ? event->name : "");
        cookie = event->cookie;
        at += sizeof(*event) + event->len;
    }
}

static void inotify(void) {
    CALL(inotify_init1(0x7777));
    const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CALL(mkdir("watched", 0700));
    CALL(inotify_add_watch(fd, "watched", IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF));
    CALL(inotify_add_watch(fd, "watched", IN_MASK_ADD | IN_OPEN));
    CALL(inotify_add_watch(fd, "watched", IN_MASK_CREATE | IN_OPEN));
    CALL(inotify_add_watch(fd, "watched", 0));
    CALL(inotify_add_watch(fd, "nothing", IN_OPEN));
    CALL(inotify_add_watch(fd, nowhere, IN_OPEN));
    CALL(inotify_add_watch(0, "watched", IN_OPEN));
    say_events(fd);
    close(fresh("watched/one"));
    CALL(rename("watched/one", "watched/a longer name"));
    CALL(chmod("watched/a longer name", 0400));
    char one;
    CALL(read(fd, &one, 1));
    int waiting = 0;
    CALL(ioctl(fd, FIONREAD, &waiting));
    SAY("waiting", "%d", waiting);
    say_events(fd);
    CALL(unlink("watched/a longer name"));
    CALL(rmdir("watched"));
    say_events(fd);
    CALL(inotify_rm_watch(fd, 1));
    CALL(inotify_rm_watch(fd, 77));
    close(fd);
}

static void fanotify(void) {
    const int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
    SAY("fanotify", "%s", fd == -1 ? strerrorname_np(errno) : "there");
    CALL(fanotify_init(0x7fffffff, 0));
    CALL(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE_WRITE | FAN_MODIFY, AT_FDCWD, "locked"));
    CALL(fanotify_mark(fd, FAN_MARK_ADD, 0, AT_FDCWD, "locked"));
    CALL(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, nowhere));
    CALL(fanotify_mark(minus_one, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "locked"));
    if (fd != -1) {
        const int file = open("locked", O_RDWR);
        DONE(write(file, "x", 1));
        close(file);
        struct fanotify_event_metadata events[8];
        const ssize_t size = read(fd, events, sizeof(events));
        SAY("events", "%d", (int)(size / (ssize_t)sizeof(events[0])));
        for (int i = 0; i < size / (ssize_t)sizeof(events[0]); ++i) {
            SAY("event", "%llx %d %d %d", (unsigned long long)events[i].mask, (int)events[i].vers, events[i].fd >= 0,
                events[i].pid == getpid());
            close(events[i].fd);
        }
        CALL(fanotify_mark(fd, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL));
        close(fd);
    }
}

int main(void) {
    locks();
    owners();
    inotify();
    fanotify();
    return 0;
}
