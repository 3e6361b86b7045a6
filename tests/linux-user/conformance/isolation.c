// Newer ways to wait, and to confine a process: futex2, keys, landlock, namespaces and the mounts within them.
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "say.h"

// The same numbers everywhere, some of them after the C library's headers.
enum { kOpenTree = 428, kMoveMount, kFsopen, kFsconfig, kFsmount, kFspick, kMountSetattr = 442, kHomeNode = 450, kFutexWake = 454, kFutexWait,
       kFutexRequeue, kStatmount, kListmount, kGetSelfAttr, kSetSelfAttr, kListModules, kOpenTreeAttr = 467 };

static _Atomic uint32_t words[4];

typedef struct {
    uint64_t value, address;
    uint32_t flags, reserved;
} Waiter;

enum { kSize32 = 2, kPrivate = 128 };

static void* wakes(void* argument) {
    (void)argument;
    // Until somebody slept: what is not waiting cannot be woken.
    while (syscall(kFutexWake, &words[0], 0xffffffffUL, 1, kSize32 | kPrivate) == 0) {
        sched_yield();
    }
    return NULL;
}

static void* requeues(void* argument) {
    (void)argument;
    const struct futex_waitv places[2] = {{.uaddr = (uintptr_t)&words[0], .flags = kSize32 | kPrivate},
                                          {.uaddr = (uintptr_t)&words[1], .flags = kSize32 | kPrivate}};
    while (syscall(kFutexRequeue, places, 0, 0, 1) == 0) {
        sched_yield();
    }
    while (syscall(kFutexWake, &words[1], 0xffffffffUL, 1, kSize32 | kPrivate) == 0) {
        sched_yield();
    }
    return NULL;
}

static void futexes(void) {
    const struct timespec past = {0, 0};
    CALL(syscall(kFutexWait, &words[0], 1UL, 0xffffffffUL, kSize32 | kPrivate, NULL, CLOCK_MONOTONIC));
    CALL(syscall(kFutexWait, &words[0], 0UL, 0xffffffffUL, kSize32 | kPrivate, &past, CLOCK_MONOTONIC));
    CALL(syscall(kFutexWait, &words[0], 0UL, 0UL, kSize32 | kPrivate, &past, CLOCK_MONOTONIC));
    CALL(syscall(kFutexWait, &words[0], 0UL, 0xffffffffUL, 0x4000, &past, CLOCK_MONOTONIC));
    CALL(syscall(kFutexWait, nowhere, 0UL, 0xffffffffUL, kSize32 | kPrivate, &past, CLOCK_MONOTONIC));
    CALL(syscall(kFutexWake, &words[0], 0xffffffffUL, 1, kSize32 | kPrivate));
    CALL(syscall(kFutexWake, (char*)&words[0] + 1, 0xffffffffUL, 1, kSize32 | kPrivate));
    CALL(syscall(kFutexRequeue, nowhere, 0, 1, 1));
    CALL(syscall(kFutexRequeue, NULL, 1, 1, 1));
    const Waiter waiters[2] = {{1, (uintptr_t)&words[0], kSize32 | kPrivate, 0}, {0, (uintptr_t)&words[1], kSize32 | kPrivate, 0}};
    CALL(syscall(SYS_futex_waitv, waiters, 2, 0, NULL, 0));
    CALL(syscall(SYS_futex_waitv, waiters + 1, 1, 0, &past, CLOCK_MONOTONIC));
    CALL(syscall(SYS_futex_waitv, waiters, 0, 0, NULL, 0));
    CALL(syscall(SYS_futex_waitv, waiters, 2, 1, NULL, 0));
    CALL(syscall(SYS_futex_waitv, nowhere, 2, 0, NULL, 0));
    const Waiter bad = {0, (uintptr_t)nowhere, kSize32 | kPrivate, 0};
    CALL(syscall(SYS_futex_waitv, &bad, 1, 0, NULL, 0));
    // The kernel may have none of the newer ones.
    if (syscall(kFutexWake, &words[0], 0xffffffffUL, 1, kSize32 | kPrivate) == 0) {
        const Waiter both[2] = {{0, (uintptr_t)&words[2], kSize32 | kPrivate, 0}, {0, (uintptr_t)&words[0], kSize32 | kPrivate, 0}};
        pthread_t thread;
        pthread_create(&thread, NULL, wakes, NULL);
        CALL(syscall(SYS_futex_waitv, both, 2, 0, NULL, 0));
        pthread_join(thread, NULL);
        pthread_create(&thread, NULL, wakes, NULL);
        CALL(syscall(kFutexWait, &words[0], 0UL, 0xffffffffUL, kSize32 | kPrivate, NULL, 0));
        pthread_join(thread, NULL);
        pthread_create(&thread, NULL, requeues, NULL);
        CALL(syscall(kFutexWait, &words[0], 0UL, 0xffffffffUL, kSize32 | kPrivate, NULL, 0));
        pthread_join(thread, NULL);
    }
    void* head = NULL;
    size_t size = 0;
    CALL(syscall(SYS_get_robust_list, 0, &head, &size));
    SAY("list", "%d %zu", head != NULL, size);
    CALL(syscall(SYS_get_robust_list, 0, nowhere, &size));
    CALL(syscall(SYS_set_robust_list, head, 8));
}

static void keys(void) {
    char text[64] = "";
    CALL(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "name") > 0);
    const long key = syscall(SYS_add_key, "user", "weft", "secret", 6, KEY_SPEC_SESSION_KEYRING);
    SAY("key", "%d", key > 0);
    CALL(syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof(text)));
    SAY("secret", "%.6s", text);
    CALL(syscall(SYS_keyctl, KEYCTL_DESCRIBE, key, NULL, 0) > 0);
    CALL(syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "weft", 0) == key);
    CALL(syscall(SYS_request_key, "user", "weft", NULL, 0) == key);
    CALL(syscall(SYS_request_key, "user", "nothing", NULL, 0));
    CALL(syscall(SYS_keyctl, KEYCTL_UPDATE, key, "other", 5));
    CALL(syscall(SYS_keyctl, KEYCTL_READ, key, NULL, 0));
    CALL(syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_SESSION_KEYRING));
    CALL(syscall(SYS_keyctl, 999, 0, 0, 0, 0));
    CALL(syscall(SYS_add_key, "nothing", "weft", "x", 1, KEY_SPEC_SESSION_KEYRING));
    CALL(syscall(SYS_add_key, nowhere, "weft", "x", 1, KEY_SPEC_SESSION_KEYRING));
}

static void landlock(void) {
    CALL(syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0 || errno == EOPNOTSUPP || errno == ENOSYS);
    struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_REG};
    const int set = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
    SAY("set", "%s", set == -1 ? strerrorname_np(errno) : "made");
    CALL(syscall(SYS_landlock_create_ruleset, &rules, 4, 0));
    CALL(syscall(SYS_landlock_create_ruleset, nowhere, sizeof(rules), 0));
    const int here = open(".", O_PATH | O_DIRECTORY);
    struct landlock_path_beneath_attr beneath = {.allowed_access = LANDLOCK_ACCESS_FS_READ_DIR, .parent_fd = here};
    CALL(syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0));
    CALL(syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, nowhere, 0));
    CALL(syscall(SYS_landlock_add_rule, set, 99, &beneath, 0));
    CALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CALL(syscall(SYS_landlock_restrict_self, set, 0));
    CALL(open(".", O_RDONLY | O_DIRECTORY) >= 0);
    CALL(open("/", O_RDONLY | O_DIRECTORY) >= 0);
    CALL(open("fresh", O_WRONLY | O_CREAT, 0600) >= 0);
    CALL(syscall(SYS_landlock_restrict_self, -1, 0));
    uint32_t size = 0;
    const long listed = syscall(kListModules, NULL, &size, 0);
    SAY("modules", "%d", listed == -1 && (errno == E2BIG || errno == ENOSYS || errno == EOPNOTSUPP || errno == EFAULT));
    CALL(syscall(kListModules, NULL, nowhere, 0));
    CALL(syscall(kGetSelfAttr, 100, NULL, nowhere, 0));
    CALL(syscall(kSetSelfAttr, 100, nowhere, 4, 0));
}

static void memory_policy(void) {
    int mode = -1;
    unsigned long nodes = 1;
    CALL(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 8));
    CALL(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0));
    SAY("mode", "%d", mode);
    CALL(syscall(SYS_set_mempolicy, 99, &nodes, 8));
    CALL(syscall(SYS_set_mempolicy, MPOL_BIND, nowhere, 8));
    CALL(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
    CALL(syscall(SYS_migrate_pages, 0, 8, &nodes, &nodes));
    CALL(syscall(SYS_migrate_pages, 0, 8, nowhere, &nodes));
    CALL(syscall(kHomeNode, 0, 0, 0, 1));
}

typedef struct {
    uint32_t size, spare;
    uint64_t id, parameter, space;
} MountRequest;

static void write_text(const char* name, const char* text) {
    const int fd = open(name, O_WRONLY);
    SAY(name, "%s", write(fd, text, strlen(text)) == -1 ? strerrorname_np(errno) : "written");
    close(fd);
}

static void namespaces(void) {
    char map[64];
    const unsigned user = getuid();
    const unsigned group = getgid();
    CALL(setns(-1, 0));
    CALL(unshare(0x1));
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) != 0) {
        SAY("spaces", "%s", strerrorname_np(errno));
        return;
    }
    write_text("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "0 %u 1", user);
    write_text("/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "0 %u 1", group);
    write_text("/proc/self/gid_map", map);
    SAY("user", "%u %u", getuid(), getgid());
    CALL(sethostname("inside", 6));
    CALL(setdomainname("domain", 6));
    struct utsname names;
    CALL(uname(&names));
    SAY("names", "%s %s", names.nodename, names.domainname);
    CALL(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    CALL(mkdir("mount", 0700));
    CALL(mount("none", "mount", "tmpfs", MS_NOSUID, "size=64k"));
    struct statfs system;
    CALL(statfs("mount", &system));
    SAY("size", "%ld", (long)system.f_blocks * (long)system.f_bsize);
    CALL(mount("none", "mount", "nothing", 0, NULL));
    CALL(mount("none", "mount", "tmpfs", 0, nowhere));
    struct {
        uint64_t set, clear, propagation, userns;
    } attributes = {.set = 1 /* MOUNT_ATTR_RDONLY */};
    CALL(syscall(kMountSetattr, AT_FDCWD, "mount", 0, &attributes, sizeof(attributes)));
    CALL(open("mount/file", O_CREAT | O_RDWR, 0600));
    CALL(syscall(kMountSetattr, AT_FDCWD, "mount", 0, nowhere, sizeof(attributes)));
    CALL(umount2("mount", MNT_DETACH));
    CALL(umount2("mount", 0));
    // By descriptors.
    const int fs = (int)syscall(kFsopen, "tmpfs", 0);
    SAY("fsopen", "%s", fs == -1 ? strerrorname_np(errno) : "opened");
    CALL(syscall(kFsopen, nowhere, 0));
    CALL(syscall(kFsconfig, fs, 1 /* SET_STRING */, "size", "128k", 0));
    CALL(syscall(kFsconfig, fs, 1, "size", nowhere, 0));
    CALL(syscall(kFsconfig, fs, 99, NULL, NULL, 0));
    CALL(syscall(kFsconfig, fs, 6 /* CREATE */, NULL, NULL, 0));
    const int mounted = (int)syscall(kFsmount, fs, 0, 0);
    SAY("fsmount", "%s", mounted == -1 ? strerrorname_np(errno) : "mounted");
    CALL(syscall(kMoveMount, mounted, "", AT_FDCWD, "mount", 4 /* F_EMPTY_PATH */));
    CALL(statfs("mount", &system));
    SAY("size", "%ld", (long)system.f_blocks * (long)system.f_bsize);
    CALL(syscall(kFspick, AT_FDCWD, "mount", 0) >= 0);
    CALL(syscall(kOpenTree, AT_FDCWD, "mount", 1 /* CLONE */) >= 0);
    CALL(syscall(kOpenTree, AT_FDCWD, nowhere, 1));
    CALL(syscall(kOpenTreeAttr, AT_FDCWD, "mount", 1, nowhere, sizeof(attributes)));
    struct statx status;
    CALL(statx(AT_FDCWD, "mount", 0, 0x4000 /* STATX_MNT_ID_UNIQUE */, &status));
    struct {
        uint32_t size, strings;
        uint64_t mask;
        uint32_t major, minor;
        uint64_t magic;
        char more[1024];
    } told;
    memset(&told, 0, sizeof(told));
    MountRequest request = {.size = 24, .id = ((const uint64_t*)&status)[18], .parameter = 1 /* SB_BASIC */};
    const long asked = syscall(kStatmount, &request, &told, sizeof(told), 0);
    SAY("statmount", "%s %llx", asked == -1 ? strerrorname_np(errno) : "told", (unsigned long long)told.magic);
    CALL(syscall(kStatmount, nowhere, &told, sizeof(told), 0));
    CALL(syscall(kStatmount, &request, nowhere, sizeof(told), 0));
    uint64_t ids[64];
    request = (MountRequest){.size = 24, .id = ~0ULL};
    CALL(syscall(kListmount, &request, ids, 64, 0) > 0 || errno == ENOSYS);
    CALL(syscall(kListmount, &request, nowhere, 64, 0));
    CALL(syscall(kListmount, nowhere, ids, 64, 0));
    CALL(mkdir("mount/old", 0700));
    CALL(chdir("mount"));
    CALL(syscall(SYS_pivot_root, ".", "old"));
    CALL(chdir("/"));
    CALL(access("/old/proc/self/exe", F_OK));
    CALL(access("/etc", F_OK));
    CALL(chroot("/old"));
    CALL(chdir("/"));
    CALL(access("/proc/self/exe", F_OK));
    const int space = open("/proc/self/ns/uts", O_RDONLY);
    CALL(setns(space, CLONE_NEWNET));
    CALL(setns(space, CLONE_NEWUTS));
    CALL(setns(space, 0));
    CALL(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM));
}

// A /proc that shows processes and nothing of the machine.
static void processes_alone(void) {
    CALL(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID));
    const pid_t pid = fork();
    if (pid == 0) {
        CALL(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        CALL(mount("proc", "/proc", "proc", 0, "subset=pid"));
        SAY("the machine's", "%s", result(open("/proc/cpuinfo", O_RDONLY) == -1 ? -1 : 0));
        SAY("the process's", "%s", result(open("/proc/self/stat", O_RDONLY) == -1 ? -1 : 0));
        _exit(0);
    }
    say_end("processes alone", wait_for(pid));
}

static void in_child(const char* what, void (*run)(void)) {
    const pid_t child = fork();
    if (child == 0) {
        run();
        _exit(0);
    }
    say_end(what, wait_for(child));
}

int main(void) {
    futexes();
    in_child("keys", keys);
    in_child("policy", memory_policy);
    in_child("landlock", landlock);
    in_child("namespaces", namespaces);
    in_child("processes alone", processes_alone);
    return 0;
}
