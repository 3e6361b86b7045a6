// Limits, priorities, CPUs, names and other attributes of processes.
#include <linux/kcmp.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/utsname.h>

#include "say.h"

static void limits(void) {
    struct rlimit limit;
    CALL(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 64;
    CALL(setrlimit(RLIMIT_NOFILE, &limit));
    CALL(dup2(0, 64));
    CALL(dup2(0, 63));
    limit.rlim_cur = limit.rlim_max = 4096;
    CALL(setrlimit(RLIMIT_FSIZE, &limit));
    CALL(getrlimit(RLIMIT_FSIZE, &limit));
    SAY("file size", "%ld %ld", (long)limit.rlim_cur, (long)limit.rlim_max);
    limit.rlim_cur = 5000;
    CALL(setrlimit(RLIMIT_FSIZE, &limit));
    CALL(setrlimit(999, &limit));
    CALL(getrlimit(RLIMIT_CORE, nowhere));
    limit = (struct rlimit){1 << 20, 1 << 21};
    struct rlimit old;
    CALL(prlimit(0, RLIMIT_CORE, &(struct rlimit){0, 0}, NULL));
    CALL(prlimit(getpid(), RLIMIT_MEMLOCK, NULL, &old));
    CALL(prlimit(-1, RLIMIT_MEMLOCK, NULL, &old));
    // What is beyond the limit of the address space, in a child.
    pid_t child = fork();
    if (child == 0) {
        limit = (struct rlimit){1L << 32, 1L << 32};
        CALL(setrlimit(RLIMIT_AS, &limit));
        CALL(getrlimit(RLIMIT_AS, &limit));
        SAY("space", "%ld", (long)limit.rlim_cur);
        SAY("too much", "%s", malloc(1L << 33) == NULL ? strerrorname_np(errno) : "done");
        _exit(0);
    }
    say_end("child", wait_for(child));
}

static void priorities(void) {
    int base = getpriority(PRIO_PROCESS, 0);
    CALL(setpriority(PRIO_PROCESS, 0, base + 3));
    SAY("nice", "%d", getpriority(PRIO_PROCESS, 0) - base);
    errno = 0;
    CALL(getpriority(77, 0));
    SAY("policy", "%s", result(sched_getscheduler(0)));
    struct sched_param parameter = {0};
    CALL(sched_setscheduler(0, SCHED_BATCH, &parameter));
    CALL(sched_getscheduler(0) == SCHED_BATCH);
    parameter.sched_priority = 5;
    CALL(sched_setscheduler(0, SCHED_BATCH, &parameter));
    CALL(sched_getparam(0, &parameter));
    CALL(sched_get_priority_max(SCHED_FIFO));
    CALL(sched_get_priority_min(SCHED_OTHER));
    CALL(sched_get_priority_max(99));
    DONE(sched_yield());
}

static void cpus(void) {
    cpu_set_t all, one, got;
    CPU_ZERO(&all);
    SAY("affinity", "%s", result(sched_getaffinity(0, sizeof(all), &all)));
    int first = 0;
    while (!CPU_ISSET(first, &all)) {
        ++first;
    }
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    CALL(sched_setaffinity(0, sizeof(one), &one));
    CALL(sched_getaffinity(0, sizeof(got), &got));
    SAY("one", "%d", CPU_COUNT(&got));
    unsigned cpu = 9999, node = 9999;
    CALL(getcpu(&cpu, &node));
    SAY("there", "%d", (int)cpu == first);
    CPU_ZERO(&one);
    CALL(sched_setaffinity(0, sizeof(one), &one));
    CALL(syscall(SYS_sched_getaffinity, 0, 1, &got));
    CALL(sched_getaffinity(-1, sizeof(got), &got));
    CALL(sched_setaffinity(0, sizeof(all), &all));
}

static void attributes(void) {
    char name[17] = "";
    CALL(prctl(PR_SET_NAME, "a name of many letters"));
    CALL(prctl(PR_GET_NAME, name));
    SAY("name", "%s", name);
    CALL(prctl(PR_GET_NAME, 8));
    int value = -1;
    CALL(prctl(PR_SET_PDEATHSIG, 10));
    CALL(prctl(PR_GET_PDEATHSIG, &value));
    SAY("signal", "%d", value);
    CALL(prctl(PR_SET_PDEATHSIG, 99));
    CALL(prctl(PR_SET_PDEATHSIG, 0));
    CALL(prctl(PR_SET_CHILD_SUBREAPER, 1));
    CALL(prctl(PR_GET_CHILD_SUBREAPER, &value));
    SAY("reaper", "%d", value);
    CALL(prctl(PR_GET_DUMPABLE));
    CALL(prctl(PR_SET_DUMPABLE, 2));
    CALL(prctl(PR_SET_TIMERSLACK, 12345));
    CALL(prctl(PR_GET_TIMERSLACK));
    CALL(prctl(PR_SET_KEEPCAPS, 1));
    CALL(prctl(PR_GET_KEEPCAPS));
    CALL(prctl(PR_SET_KEEPCAPS, 2));
    CALL(prctl(PR_CAPBSET_READ, 999));
    CALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CALL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    CALL(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    CALL(prctl(99999));
    CALL(syscall(SYS_kcmp, getpid(), getpid(), KCMP_VM, 0, 0));
    int copy = dup(1);
    CALL(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 1, copy));
    CALL(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 1, 99));
    CALL(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 1));
    SAY("barriers", "%d", (syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0) & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0);
    CALL(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0));
    CALL(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
    CALL(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0));
    CALL(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0));
    CALL(syscall(SYS_membarrier, 3, 0));
}

static void identities(void) {
    uid_t users[3];
    CALL(getresuid(&users[0], &users[1], &users[2]));
    SAY("users", "%d", users[0] == getuid() && users[1] == geteuid());
    SAY("groups", "%d", getgroups(0, NULL) >= 0);
    CALL(getgroups(minus_one, NULL));
    CALL(getpgid(0) == getpgrp());
    CALL(getsid(-1));
    pid_t child = fork();
    if (child == 0) {
        CALL(setsid() == getpid());
        CALL(setsid());
        CALL(setpgid(0, 0));
        CALL(getpgrp() == getpid());
        _exit(0);
    }
    say_end("session", wait_for(child));
    struct utsname names;
    CALL(uname(&names));
    SAY("system", "%s", names.sysname);
    struct tms times_of;
    SAY("times", "%d", times(&times_of) != -1);
    struct rusage usage;
    CALL(getrusage(RUSAGE_SELF, &usage));
    SAY("usage", "%d", usage.ru_maxrss > 0);
    CALL(getrusage(77, &usage));
    CALL(getrusage(RUSAGE_CHILDREN, nowhere));
    SAY("pages", "%ld %ld", sysconf(_SC_PAGESIZE), sysconf(_SC_CLK_TCK));
}

int main(void) {
    limits();
    priorities();
    cpus();
    attributes();
    identities();
    return 0;
}
