// Waiting for events: epoll, eventfd, timerfd, inotify, signalfd, poll, select, and the clocks. No line depends on how long a thing takes.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

#include "say.h"

static void eventfds(void) {
    uint64_t value = 5;
    int fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
    CALL(write(fd, &value, 8));
    CALL(read(fd, &value, 8));
    SAY("value", "%lu", (unsigned long)value);
    CALL(read(fd, &value, 8));
    CALL(read(fd, &value, 4));
    value = ~(uint64_t)0;
    CALL(write(fd, &value, 8));
    close(fd);
    fd = eventfd(2, EFD_SEMAPHORE);
    CALL(read(fd, &value, 8));
    SAY("one of them", "%lu", (unsigned long)value);
    CALL(eventfd(0, 0x777));
    close(fd);
}

static void epolls(void) {
    int epoll = epoll_create1(EPOLL_CLOEXEC), ends[2];
    DONE(pipe(ends));
    struct epoll_event event = {EPOLLIN, {.u64 = 0x123456789abcdef0}}, got[4];
    CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
    CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
    CALL(epoll_ctl(epoll, EPOLL_CTL_MOD, ends[1], &event));
    CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, epoll, &event));
    CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], NULL));
    CALL(epoll_wait(epoll, got, 4, 0));
    CALL(write(ends[1], "x", 1));
    CALL(epoll_wait(epoll, got, 4, -1));
    SAY("event", "%x %lx", got[0].events, (unsigned long)got[0].data.u64);
    // At an edge: once.
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = 2;
    CALL(epoll_ctl(epoll, EPOLL_CTL_MOD, ends[0], &event));
    CALL(epoll_wait(epoll, got, 4, -1));
    CALL(epoll_wait(epoll, got, 4, 0));
    CALL(write(ends[1], "x", 1));
    CALL(epoll_wait(epoll, got, 4, -1));
    // Once, until it is asked for again.
    event.events = EPOLLOUT | EPOLLONESHOT;
    event.data.u64 = 3;
    CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], &event));
    CALL(epoll_pwait(epoll, got, 4, -1, NULL));
    SAY("event", "%x %lx", got[0].events, (unsigned long)got[0].data.u64);
    CALL(epoll_wait(epoll, got, 4, 0));
    CALL(epoll_ctl(epoll, EPOLL_CTL_DEL, ends[0], NULL));
    CALL(epoll_ctl(epoll, EPOLL_CTL_DEL, ends[0], NULL));
    // Many at once: each has its own word.
    int many[200];
    long sum = 0;
    for (int i = 0; i < 200; ++i) {
        many[i] = eventfd(1, 0);
        event = (struct epoll_event){EPOLLIN, {.u64 = (uint64_t)(i + 1)}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, many[i], &event) == 0 ? (void)0 : abort();
    }
    static struct epoll_event all[300];
    int count = epoll_wait(epoll, all, 300, -1);
    for (int i = 0; i < count; ++i) {
        sum += (long)all[i].data.u64;
    }
    SAY("many", "%d %ld", count, sum);
    struct timespec now = {0, 0};
    CALL(syscall(SYS_epoll_pwait2, epoll, got, 4, &now, NULL, 8));
    CALL(epoll_wait(epoll, got, 0, 0));
    CALL(epoll_wait(epoll, nowhere, 4, 0));
    CALL(epoll_wait(0, got, 4, 0));
    CALL(epoll_create1(0x777));
    for (int i = 0; i < 200; ++i) {
        close(many[i]);
    }
    CALL(epoll_wait(epoll, got, 4, 0));
}

static void timers(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    uint64_t count;
    struct itimerspec time = {{0, 0}, {3600, 0}}, old;
    CALL(timerfd_settime(fd, 0, &time, NULL));
    CALL(read(fd, &count, 8));
    CALL(timerfd_gettime(fd, &old));
    SAY("an hour", "%d", old.it_value.tv_sec >= 3000 && old.it_value.tv_sec <= 3600);
    time.it_value = (struct timespec){0, 1};
    time.it_interval = (struct timespec){0, 1000000};
    CALL(timerfd_settime(fd, 0, &time, &old));
    SAY("old", "%d %ld", old.it_value.tv_sec >= 3000, (long)old.it_interval.tv_sec);
    struct pollfd ready = {fd, POLLIN, 0};
    CALL(poll(&ready, 1, -1));
    CALL(read(fd, &count, 8));
    SAY("expired", "%d", count > 0);
    // Long ago.
    time = (struct itimerspec){{0, 0}, {0, 1}};
    CALL(timerfd_settime(fd, TFD_TIMER_ABSTIME, &time, NULL));
    CALL(poll(&ready, 1, -1));
    CALL(read(fd, &count, 8));
    SAY("expired", "%lu", (unsigned long)count);
    time.it_value.tv_nsec = 1000000000;
    CALL(timerfd_settime(fd, 0, &time, NULL));
    CALL(timerfd_create(99, 0));
    // A timer of the process, whose signal waits.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 55};
    timer_t timer;
    CALL(timer_create(CLOCK_MONOTONIC, &event, &timer));
    time = (struct itimerspec){{0, 0}, {0, 1}};
    CALL(timer_settime(timer, 0, &time, NULL));
    siginfo_t info;
    CALL(sigwaitinfo(&set, &info) == SIGRTMIN + 1);
    SAY("timer", "%d %d %d", info.si_code == SI_TIMER, info.si_value.sival_int, info.si_overrun);
    CALL(timer_gettime(timer, &time));
    SAY("over", "%ld %ld", (long)time.it_value.tv_sec, time.it_value.tv_nsec);
    CALL(timer_delete(timer));
    struct itimerval interval = {{0, 0}, {0, 1}};
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    CALL(setitimer(ITIMER_REAL, &interval, NULL));
    CALL(sigwaitinfo(&set, &info));
    CALL(setitimer(99, &interval, NULL));
}

static void watches(void) {
    int fd = inotify_init1(IN_NONBLOCK);
    char buffer[1024] __attribute__((aligned(8)));
    CALL(inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO));
    CALL(inotify_add_watch(fd, "none", IN_CREATE));
    CALL(read(fd, buffer, sizeof(buffer)));
    int file = open("watched", O_CREAT | O_WRONLY, 0600);
    CALL(write(file, "x", 1));
    CALL(rename("watched", "moved"));
    CALL(unlink("moved"));
    close(file);
    ssize_t size = read(fd, buffer, sizeof(buffer));
    for (ssize_t at = 0; at < size;) {
        struct inotify_event event;
        memcpy(&event, buffer + at, sizeof(event));
        SAY("event", "%d %x %d %s", event.wd, event.mask, event.cookie != 0, event.len != 0 ? buffer + at + sizeof(event) : "");
        at += (ssize_t)(sizeof(event) + event.len);
    }
    CALL(inotify_rm_watch(fd, 1));
    CALL(inotify_rm_watch(fd, 1));
    CALL(read(fd, buffer, 8));
}

static void signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    struct signalfd_siginfo info;
    CALL(read(fd, &info, sizeof(info)));
    union sigval value = {.sival_int = 66};
    CALL(sigqueue(getpid(), SIGUSR1, value));
    CALL(read(fd, &info, sizeof(info)));
    SAY("signal", "%u %d %d", info.ssi_signo, info.ssi_int, info.ssi_pid == (uint32_t)getpid());
}

static void waits(void) {
    int ends[2];
    DONE(pipe(ends));
    struct pollfd fds[3] = {{ends[0], POLLIN, 7}, {ends[1], POLLOUT, 7}, {999, POLLIN, 7}};
    CALL(poll(fds, 3, 0));
    SAY("poll", "%x %x %x", fds[0].revents, fds[1].revents, fds[2].revents);
    close(ends[1]);
    CALL(poll(fds, 1, -1));
    SAY("hang up", "%x", fds[0].revents);
    CALL(poll(nowhere, 1, 0));
    fd_set read_set, write_set;
    DONE(pipe(ends));
    FD_ZERO(&read_set);
    FD_ZERO(&write_set);
    FD_SET(ends[0], &read_set);
    FD_SET(ends[1], &write_set);
    struct timeval none = {0, 0};
    CALL(select(ends[1] + 1, &read_set, &write_set, NULL, &none));
    SAY("select", "%d %d", FD_ISSET(ends[0], &read_set) ? 1 : 0, FD_ISSET(ends[1], &write_set) ? 1 : 0);
    FD_SET(500, &read_set);
    CALL(select(501, &read_set, NULL, NULL, &none));
    CALL(select(-1, NULL, NULL, NULL, &none));
}

static void clocks(void) {
    struct timespec before, after, rest = {7, 7};
    CALL(clock_gettime(CLOCK_MONOTONIC, &before));
    CALL(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, 1000}, &rest));
    CALL(clock_gettime(CLOCK_MONOTONIC, &after));
    SAY("time goes on", "%d", after.tv_sec > before.tv_sec || (after.tv_sec == before.tv_sec && after.tv_nsec >= before.tv_nsec + 1000));
    CALL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &before, NULL));
    CALL(clock_getres(CLOCK_REALTIME, &after));
    SAY("resolution", "%ld", after.tv_nsec);
    CALL(clock_gettime(77, &after));
    CALL(nanosleep(&(struct timespec){0, 1000000000}, NULL));
    CALL(nanosleep(nowhere, NULL));
    struct timeval now;
    CALL(gettimeofday(&now, NULL));
    CALL(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before));
    SAY("CPU time", "%d", before.tv_sec != 0 || before.tv_nsec != 0);
}

int main(void) {
    eventfds();
    epolls();
    timers();
    watches();
    signals();
    waits();
    clocks();
    return 0;
}
