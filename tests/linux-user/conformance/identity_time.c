// Users and groups, scheduling beyond priorities, clocks and timers, and what asks the kernel about the whole system.
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/quota.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

#include "say.h"

static void say_ids(const char* what) {
    uid_t users[3];
    gid_t groups[3];
    getresuid(&users[0], &users[1], &users[2]);
    getresgid(&groups[0], &groups[1], &groups[2]);
    SAY(what, "%u %u %u, %u %u %u, %u %u", users[0], users[1], users[2], groups[0], groups[1], groups[2],
        (unsigned)setfsuid((uid_t)-1), (unsigned)setfsgid((gid_t)-1));
}

// What a user may do depends on who runs this: each is in a process of its own.
static void in_child(const char* what, void (*run)(void)) {
    const pid_t child = fork();
    if (child == 0) {
        run();
        _exit(0);
    }
    say_end(what, wait_for(child));
}

static void users(void) {
    say_ids("before");
    CALL(geteuid() == getuid() && getegid() == getgid());
    const gid_t groups[] = {5, 6, 7};
    gid_t got[8] = {0};
    CALL(setgroups(3, groups));
    if (getgroups(8, got) == 3) {
        SAY("groups", "%u %u %u", got[0], got[1], got[2]);
    }
    CALL(getgroups(1, got));
    CALL(setgroups(1 << 20, groups));
    CALL(setgroups(3, nowhere));
    DONE(setfsuid(77));
    DONE(setfsgid(78));
    say_ids("of files");
    CALL(setregid(11, 12));
    CALL(setresgid(11, 12, 13));
    CALL(setreuid((uid_t)-1, 21));
    say_ids("after");
    CALL(setresuid(22, 21, 23));
    CALL(setuid(0));
    say_ids("back");
    CALL(syscall(SYS_getresuid, nowhere, NULL, NULL));
}

// What is for those with more rights.
static void refused(void) {
    if (geteuid() == 0 && (setresuid(31, 31, 31) != 0 || geteuid() == 0)) {
        return;
    }
    const gid_t groups[] = {5, 6, 7};
    CALL(setuid(0));
    CALL(setgroups(3, groups));
    CALL(chroot("/"));
    CALL(reboot(RB_DISABLE_CAD));
    CALL(syscall(SYS_reboot, 0xfee1dead, 1, 0, NULL));
    CALL(swapon("/nothing", 0));
    CALL(swapoff("/nothing"));
    CALL(syscall(SYS_vhangup));
    CALL(syscall(SYS_settimeofday, &(struct timeval){1, 0}, NULL));
    CALL(clock_settime(CLOCK_REALTIME, &(struct timespec){1, 0}));
    CALL(sethostname("name", 4));
    CALL(setdomainname("name", 4));
    CALL(klogctl(3, NULL, 0));
    CALL(klogctl(99, NULL, 0));
    CALL(acct("/nothing"));
    CALL(quotactl(QCMD(Q_SYNC, USRQUOTA), "/nothing", 0, NULL));
    CALL(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), "/nothing", 0, nowhere));
    CALL(syscall(443 /* quotactl_fd */, -1, QCMD(Q_GETQUOTA, USRQUOTA), 0, NULL));
    CALL(syscall(SYS_settimeofday, nowhere, NULL));
    CALL(mount("none", "/nothing", "tmpfs", 0, NULL));
    CALL(umount2("/nothing", 0));
    CALL(syscall(SYS_pivot_root, "/nothing", "/nothing"));
}

static void capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2];
    CALL(syscall(SYS_capget, &header, data));
    CALL(syscall(SYS_capset, &header, data));
    header.version = 1;
    CALL(syscall(SYS_capget, &header, data));
    SAY("version", "%x", header.version);
    CALL(syscall(SYS_capget, &header, nowhere));
    CALL(prctl(PR_CAPBSET_DROP, 999, 0, 0, 0));
    CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 0, 0));
    CALL(prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
    CALL(prctl(PR_SET_SECUREBITS, 0x10000, 0, 0, 0));
    CALL(prctl(PR_GET_TID_ADDRESS, nowhere, 0, 0, 0));
    CALL(prctl(PR_SET_PTRACER, 0, 0, 0, 0) == 0 || errno == EINVAL);
    CALL(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
    CALL(prctl(PR_SET_IO_FLUSHER, 2, 0, 0, 0));
    CALL(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
    CALL(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    CALL(prctl(PR_SET_UNALIGN, 99, 0, 0, 0));
}

typedef struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t least, most;
} Attributes;

static void scheduling(void) {
    Attributes attributes;
    memset(&attributes, 0x5a, sizeof(attributes));
    CALL(syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0));
    SAY("attributes", "%u %u %llx %u", attributes.size, attributes.policy, (unsigned long long)attributes.flags, attributes.priority);
    CALL(syscall(SYS_sched_getattr, 0, &attributes, 8, 0));
    CALL(syscall(SYS_sched_getattr, 0, &attributes, 5000, 0));
    CALL(syscall(SYS_sched_getattr, 0, nowhere, sizeof(attributes), 0));
    CALL(syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 1));
    attributes = (Attributes){.size = 48, .policy = SCHED_BATCH, .nice = 5};
    CALL(syscall(SYS_sched_setattr, 0, &attributes, 0));
    CALL(syscall(SYS_sched_getattr, 0, &attributes, 48, 0));
    SAY("attributes", "%u %u %d", attributes.size, attributes.policy, attributes.nice);
    attributes.size = 40;
    CALL(syscall(SYS_sched_setattr, 0, &attributes, 0));
    SAY("size that is known", "%d", attributes.size >= 48);
    attributes = (Attributes){.size = 48, .policy = 99};
    CALL(syscall(SYS_sched_setattr, 0, &attributes, 0));
    CALL(syscall(SYS_sched_setattr, 0, nowhere, 0));
    struct sched_param parameter = {.sched_priority = 3};
    CALL(sched_setparam(0, &parameter));
    CALL(sched_setparam(0, nowhere));
    struct timespec interval = {-1, -1};
    CALL(sched_rr_get_interval(0, &interval));
    SAY("interval", "%d", interval.tv_sec == 0 && interval.tv_nsec >= 0);
    CALL(sched_rr_get_interval(-1, &interval));
    CALL(syscall(SYS_ioprio_get, 1, 0));
    CALL(syscall(SYS_ioprio_set, 1, 0, (2 << 13) | 3));
    CALL(syscall(SYS_ioprio_get, 1, 0));
    CALL(syscall(SYS_ioprio_set, 1, 0, 7 << 13));
    CALL(syscall(SYS_ioprio_get, 99, 0));
    CALL(personality(0xffffffff));
    CALL(personality(ADDR_NO_RANDOMIZE));
    CALL(personality(0xffffffff));
    CALL(personality(0));
    CALL(ptrace(PTRACE_ATTACH, -1, NULL, NULL));
    CALL(mlock2(&interval, sizeof(interval), 0));
    CALL(mlock2(&interval, sizeof(interval), 99));
    CALL(munlock(&interval, sizeof(interval)));
    char* const page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CALL(syscall(SYS_pkey_mprotect, page, 4096L, (long)PROT_READ, -1L));
    CALL(syscall(SYS_pkey_mprotect, page, 4096L, (long)PROT_READ, 99L));
    CALL(syscall(SYS_pkey_mprotect, page + 1, 4096L, (long)PROT_READ, -1L));
    // Sealed memory (Linux 6.10) stays as it is.
    const int sealed = syscall(462 /* mseal */, page, 4096L, 0L) == 0;
    SAY("sealed", "%s", sealed ? "yes" : strerrorname_np(errno));
    CALL(syscall(462, page, 4096L, 1L));
    CALL(syscall(462, page + 1, 4096L, 0L));
    CALL(mprotect(page, 8192, PROT_READ | PROT_WRITE));
    CALL(munmap(page, 8192));
    CALL(munmap(page + 4096, 4096));
}

static volatile int rung;

static void on_alarm(int signal) {
    (void)signal;
    ++rung;
}

static void timers(void) {
    signal(SIGALRM, on_alarm);
    struct itimerval value = {.it_value = {.tv_sec = 1000}, .it_interval = {.tv_sec = 7, .tv_usec = 5}};
    struct itimerval old;
    CALL(setitimer(ITIMER_REAL, &value, NULL));
    CALL(getitimer(ITIMER_REAL, &old));
    SAY("left", "%d %ld.%ld", old.it_value.tv_sec >= 990, (long)old.it_interval.tv_sec, (long)old.it_interval.tv_usec);
    value = (struct itimerval){.it_value = {.tv_usec = 1000001}};
    CALL(setitimer(ITIMER_REAL, &value, NULL));
    value = (struct itimerval){{0, 0}, {0, 0}};
    CALL(setitimer(ITIMER_REAL, &value, &old));
    SAY("left", "%d", old.it_value.tv_sec >= 990);
    CALL(getitimer(99, &old));
    CALL(getitimer(ITIMER_PROF, nowhere));
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    CALL(timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec spec = {.it_value = {.tv_sec = 1000}, .it_interval = {.tv_sec = 3, .tv_nsec = 4}};
    struct itimerspec told;
    CALL(timer_settime(timer, 0, &spec, &told));
    CALL(timer_gettime(timer, &told));
    SAY("left", "%d %ld.%ld", told.it_value.tv_sec >= 990, (long)told.it_interval.tv_sec, told.it_interval.tv_nsec);
    CALL(timer_getoverrun(timer));
    CALL(timer_settime(timer, 0x100, &spec, NULL));
    spec.it_value.tv_nsec = -1;
    CALL(timer_settime(timer, 0, &spec, NULL));
    CALL(timer_delete(timer));
    CALL(syscall(SYS_timer_gettime, 12345, &told));
    CALL(syscall(SYS_timer_getoverrun, 12345));
    CALL(syscall(SYS_timer_delete, 12345));
    CALL(syscall(SYS_timer_create, 99, NULL, &timer));
    struct timespec time;
    CALL(clock_getres(CLOCK_MONOTONIC, &time));
    SAY("resolution", "%ld.%09ld", (long)time.tv_sec, time.tv_nsec);
    CALL(clock_getres(CLOCK_MONOTONIC_COARSE, &time));
    SAY("resolution", "%ld.%09ld", (long)time.tv_sec, time.tv_nsec);
    CALL(clock_getres(CLOCK_PROCESS_CPUTIME_ID, NULL));
    CALL(syscall(SYS_clock_getres, 99, &time));
    CALL(clock_settime(99, &time));
    CALL(syscall(SYS_clock_settime, CLOCK_REALTIME, nowhere));
    CALL(nanosleep(&(struct timespec){0, 1000}, NULL));
    CALL(syscall(SYS_nanosleep, &(struct timespec){0, 2000000000}, NULL));
    CALL(syscall(SYS_nanosleep, nowhere, NULL));
    struct timeval day;
    CALL(syscall(SYS_gettimeofday, &day, NULL));
    CALL(clock_gettime(CLOCK_REALTIME, &time));
    SAY("day", "%d", time.tv_sec - day.tv_sec <= 100 && time.tv_sec >= day.tv_sec);
    CALL(syscall(SYS_gettimeofday, nowhere, NULL));
    struct timex adjust;
    memset(&adjust, 0, sizeof(adjust));
    CALL(adjtimex(&adjust) >= 0);
    SAY("adjustment", "%d %d", adjust.tick >= 9000 && adjust.tick <= 11000, adjust.time.tv_sec >= day.tv_sec);
    adjust.modes = ADJ_TICK;
    adjust.tick = 1;
    CALL(adjtimex(&adjust));
    CALL(syscall(SYS_adjtimex, nowhere));
    memset(&adjust, 0, sizeof(adjust));
    CALL(clock_adjtime(CLOCK_REALTIME, &adjust) >= 0);
    CALL(clock_adjtime(CLOCK_MONOTONIC, &adjust));
    CALL(syscall(SYS_restart_syscall));
}

int main(void) {
    in_child("users", users);
    in_child("refused", refused);
    in_child("capabilities", capabilities);
    in_child("scheduling", scheduling);
    in_child("timers", timers);
    return 0;
}
