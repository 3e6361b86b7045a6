// What files are besides their bytes: extended attributes, rights, owners, times, names, handles, seals, and the calls that say how
// a name is looked up.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "say.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
enum { kSetxattrat = 463, kGetxattrat = 464, kListxattrat = 465, kRemovexattrat = 466, kFileGetattr = 468, kFileSetattr = 469 };

static void make(const char* name, const char* text) {
    const int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (fd == -1 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        SAY("failed", "%s", name);
        exit(1);
    }
    close(fd);
}

// Names in a list of names, each ended by a zero, in the order that they are given here; the file system may have more of its own.
static void say_names(const char* what, const char* list, long size) {
    int found = 0;
    for (long at = 0; at < size; at += (long)strlen(list + at) + 1) {
        found += strncmp(list + at, "user.", 5) == 0;
    }
    SAY(what, "%d of the user's", found);
}

static void extended_attributes(void) {
    make("attributed", "x");
    CALL(symlink("attributed", "link"));
    char value[64] = "";
    char list[512];
    CALL(setxattr("attributed", "user.one", "first", 5, XATTR_CREATE));
    CALL(setxattr("attributed", "user.one", "first", 5, XATTR_CREATE));
    CALL(setxattr("attributed", "user.two", "second", 6, XATTR_REPLACE));
    CALL(setxattr("link", "user.two", "second", 6, 0));
    CALL(getxattr("attributed", "user.one", value, sizeof(value)));
    SAY("value", "%.5s", value);
    CALL(getxattr("attributed", "user.one", NULL, 0));
    CALL(getxattr("attributed", "user.one", value, 2));
    CALL(getxattr("attributed", "user.none", value, sizeof(value)));
    CALL(getxattr("attributed", "user.one", nowhere, 64));
    CALL(lgetxattr("link", "user.one", value, sizeof(value)));
    CALL(lsetxattr("link", "user.one", "x", 1, 0));
    CALL(lremovexattr("link", "user.one"));
    say_names("names", list, listxattr("attributed", list, sizeof(list)));
    say_names("names of the link", list, llistxattr("link", list, sizeof(list)));
    CALL(listxattr("attributed", list, 1));
    const int fd = open("attributed", O_RDWR);
    CALL(fsetxattr(fd, "user.three", "", 0, 0));
    CALL(fgetxattr(fd, "user.three", value, sizeof(value)));
    say_names("names by descriptor", list, flistxattr(fd, list, sizeof(list)));
    CALL(fremovexattr(fd, "user.three"));
    CALL(removexattr("attributed", "user.two"));
    CALL(removexattr("attributed", "user.two"));
    CALL(setxattr("attributed", "nothing.at", "x", 1, 0));
    CALL(setxattr("attributed", "user.big", nowhere, 1 << 20, 0));
    CALL(setxattr(nowhere, "user.one", "x", 1, 0));
    // The same by descriptor of a folder (Linux 6.13).
    struct {
        uint64_t value;
        uint32_t size;
        uint32_t flags;
    } arguments = {(uint64_t)(uintptr_t)"at", 2, 0};
    CALL(syscall(kSetxattrat, AT_FDCWD, "attributed", 0, "user.at", &arguments, sizeof(arguments)));
    arguments.value = (uint64_t)(uintptr_t)value;
    arguments.size = sizeof(value);
    CALL(syscall(kGetxattrat, AT_FDCWD, "attributed", 0, "user.at", &arguments, sizeof(arguments)));
    SAY("value", "%.2s", value);
    CALL(syscall(kGetxattrat, AT_FDCWD, "attributed", 0, "user.at", &arguments, 8));
    arguments.value = (uint64_t)(uintptr_t)nowhere;
    CALL(syscall(kGetxattrat, AT_FDCWD, "attributed", 0, "user.at", &arguments, sizeof(arguments)));
    say_names("names at", list, syscall(kListxattrat, AT_FDCWD, "attributed", 0, list, sizeof(list)));
    CALL(syscall(kRemovexattrat, AT_FDCWD, "attributed", 0, "user.at"));
    close(fd);
}

static unsigned mode_of(const char* name) {
    struct stat status;
    return lstat(name, &status) == 0 ? status.st_mode : 0;
}

static void rights(void) {
    make("plain", "x");
    CALL(chmod("plain", 0604));
    SAY("mode", "%o", mode_of("plain"));
    CALL(fchmodat(AT_FDCWD, "plain", 04711, 0));
    SAY("mode", "%o", mode_of("plain"));
    CALL(syscall(SYS_fchmodat2, AT_FDCWD, "plain", 0640, AT_SYMLINK_NOFOLLOW));
    SAY("mode", "%o", mode_of("plain"));
    CALL(syscall(SYS_fchmodat2, AT_FDCWD, "plain", 0640, 0x40000000));
    const int fd = open("plain", O_RDONLY);
    CALL(fchmod(fd, 0600));
    CALL(fchown(fd, getuid(), getgid()));
    CALL(fchownat(AT_FDCWD, "plain", (uid_t)-1, (gid_t)-1, AT_SYMLINK_NOFOLLOW));
    CALL(fchownat(fd, "", (uid_t)-1, (gid_t)-1, AT_EMPTY_PATH));
    CALL(fchownat(AT_FDCWD, "plain", 0, 0, 0x40000000));
    CALL(faccessat(AT_FDCWD, "plain", R_OK, AT_EACCESS));
    CALL(faccessat(AT_FDCWD, "plain", 0xff, AT_EACCESS));
    CALL(faccessat(fd, "", R_OK, AT_EMPTY_PATH | AT_EACCESS));
    CALL(umask(077) > 0777);
    CALL(mknodat(AT_FDCWD, "pipe", S_IFIFO | 0666, 0));
    SAY("mode", "%o", mode_of("pipe"));
    CALL(mkdir("folder", 0777));
    SAY("mode", "%o", mode_of("folder"));
    umask(022);
    const int folder = open("folder", O_RDONLY | O_DIRECTORY);
    CALL(fchdir(folder));
    CALL(fchdir(fd));
    CALL(chdir(".."));
    struct timespec times[2] = {{.tv_sec = 123, .tv_nsec = 456}, {.tv_nsec = UTIME_OMIT}};
    CALL(utimensat(AT_FDCWD, "plain", times, 0));
    struct stat status;
    CALL(fstat(fd, &status));
    SAY("accessed", "%ld.%09ld", (long)status.st_atim.tv_sec, status.st_atim.tv_nsec);
    times[1].tv_nsec = 2000000000;
    CALL(utimensat(AT_FDCWD, "plain", times, 0));
    CALL(syscall(SYS_utimensat, fd, NULL, NULL, 0));
    CALL(syscall(SYS_utimensat, AT_FDCWD, NULL, NULL, 0));
    CALL(utimensat(AT_FDCWD, "plain", nowhere, 0));
    close(folder);
    close(fd);
}

static void say_statx(const char* what, const struct statx* status) {
    SAY(what, "%o %u %llu %llu %d", status->stx_mode, status->stx_nlink, (unsigned long long)status->stx_size,
        (unsigned long long)status->stx_attributes & STATX_ATTR_MOUNT_ROOT,
        (status->stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
}

static void names(void) {
    make("a", "one");
    make("b", "other");
    CALL(link("a", "c"));
    struct statx status;
    CALL(statx(AT_FDCWD, "c", AT_SYMLINK_NOFOLLOW, STATX_ALL, &status));
    say_statx("c", &status);
    const int fd = open("b", O_RDWR);
    CALL(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &status));
    say_statx("b", &status);
    CALL(statx(AT_FDCWD, "c", 0, 0x80000000, &status));
    CALL(statx(AT_FDCWD, "c", AT_STATX_SYNC_TYPE, STATX_ALL, &status));
    CALL(statx(AT_FDCWD, "c", 0, STATX_ALL, nowhere));
    CALL(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
    CALL(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
    CALL(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 0x40));
    CALL(statx(AT_FDCWD, "a", 0, STATX_SIZE, &status));
    SAY("size of a", "%llu", (unsigned long long)status.stx_size);
    CALL(linkat(fd, "", AT_FDCWD, "d", 0));
    CALL(linkat(AT_FDCWD, "a", AT_FDCWD, "a", 0));
    const int unnamed = open(".", O_TMPFILE | O_RDWR, 0600);
    SAY("unnamed", "%d", unnamed != -1);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", unnamed);
    CALL(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    SAY("mode", "%o", mode_of("named"));
    char target[32] = "";
    CALL(symlinkat("some/target", AT_FDCWD, "to"));
    CALL(readlinkat(AT_FDCWD, "to", target, 4));
    SAY("target", "%s", target);
    CALL(unlinkat(AT_FDCWD, "folder", 0));
    CALL(unlinkat(AT_FDCWD, "folder", AT_REMOVEDIR));
    CALL(truncate("a", 2));
    CALL(truncate("a", -1));
    // By the handle of a file.
    struct {
        struct file_handle handle;
        unsigned char more[MAX_HANDLE_SZ];
    } handle = {.handle = {.handle_bytes = 0}};
    int mount = -1;
    CALL(name_to_handle_at(AT_FDCWD, "a", &handle.handle, &mount, 0));
    SAY("size is told", "%d", handle.handle.handle_bytes > 0 && handle.handle.handle_bytes <= MAX_HANDLE_SZ);
    CALL(name_to_handle_at(AT_FDCWD, "a", &handle.handle, &mount, 0));
    const int folder = open(".", O_RDONLY | O_DIRECTORY);
    const int again = open_by_handle_at(folder, &handle.handle, O_RDONLY);
    SAY("by handle", "%s", again == -1 ? strerrorname_np(errno) : "opened");
    CALL(open_by_handle_at(folder, nowhere, O_RDONLY));
    CALL(name_to_handle_at(AT_FDCWD, "a", nowhere, &mount, 0));
    // Attributes of the file system (Linux 6.17).
    struct {
        uint64_t flags;
        uint32_t extent, count, project, cow_extent;
    } attributes;
    SAY("attributes", "%d", syscall(kFileGetattr, AT_FDCWD, "a", &attributes, sizeof(attributes), 0) == 0 || errno == ENOSYS ||
                                errno == EOPNOTSUPP || errno == ENOTTY);
    CALL(syscall(kFileGetattr, AT_FDCWD, "a", nowhere, sizeof(attributes), 0));
    CALL(syscall(kFileSetattr, AT_FDCWD, "a", nowhere, sizeof(attributes), 0));
    struct statfs system;
    struct statfs same;
    CALL(statfs(".", &system));
    CALL(fstatfs(folder, &same));
    SAY("file system", "%d", system.f_type == same.f_type && system.f_bsize == same.f_bsize && system.f_namelen == 255);
    CALL(statfs(nowhere, &system));
    CALL(statfs(".", nowhere));
    close(folder);
    close(fd);
    close(unnamed);
}

static long opens(const char* name, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    const long fd = syscall(SYS_openat2, AT_FDCWD, name, &how, sizeof(how));
    if (fd >= 0) {
        close((int)fd);
    }
    return fd < 0 ? -1 : 0;
}

static void looking_up(void) {
    CALL(opens("a", O_RDONLY, 0, 0));
    CALL(opens("a", O_RDONLY, 0644, 0));
    CALL(opens("fresh", O_RDWR | O_CREAT, 0600, RESOLVE_BENEATH));
    CALL(opens("../a", O_RDONLY, 0, RESOLVE_BENEATH));
    CALL(opens("/etc/passwd", O_RDONLY, 0, RESOLVE_BENEATH));
    CALL(opens("link", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
    CALL(opens("link", O_RDONLY, 0, RESOLVE_IN_ROOT));
    CALL(opens("/a", O_RDONLY, 0, RESOLVE_IN_ROOT));
    CALL(opens("/proc/self/exe", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS));
    CALL(opens("/proc/self/maps", O_RDONLY, 0, RESOLVE_NO_XDEV));
    CALL(opens("/proc/self/maps", O_RDONLY, 0, 0));
    CALL(opens("a", O_RDONLY, 0, 0x4000));
    CALL(opens("a", 1ULL << 40, 0, 0));
    CALL(opens(nowhere, O_RDONLY, 0, 0));
    // A struct that is larger than the kernel's is right as long as the rest is zeros.
    struct {
        struct open_how how;
        uint64_t more;
    } larger = {.how = {.flags = O_RDONLY}};
    const long fd = syscall(SYS_openat2, AT_FDCWD, "a", &larger, sizeof(larger));
    SAY("larger", "%s", fd < 0 ? strerrorname_np(errno) : "opened");
    larger.more = 1;
    CALL(syscall(SYS_openat2, AT_FDCWD, "a", &larger, sizeof(larger)));
    CALL(syscall(SYS_openat2, AT_FDCWD, "a", nowhere, sizeof(larger)));
    // Of the process itself, through any name.
    char path[64];
    const int self = open("/proc/self", O_RDONLY | O_DIRECTORY);
    const int maps = openat(self, "maps", O_RDONLY);
    SAY("maps by folder", "%d", read(maps, path, 16) == 16);
    close(maps);
    close(self);
    close((int)fd);
}

static void data(void) {
    const int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    const struct iovec out[] = {{"abc", 3}, {"", 0}, {"defg", 4}};
    CALL(pwritev(fd, out, 3, 2));
    CALL(syscall(SYS_pwritev2, fd, out, 3, (long)-1, 0L, 0));
    CALL(syscall(SYS_pwritev2, fd, out, 1, 0L, 0L, 0x10 /* RWF_APPEND */));
    CALL(syscall(SYS_pwritev2, fd, out, 1, 0L, 0L, 0x40000000));
    CALL(lseek(fd, 0, SEEK_END));
    CALL(pwritev(fd, nowhere, 3, 2));
    CALL(readahead(fd, 0, 4096));
    CALL(readahead(minus_one, 0, 4096));
    CALL(sync_file_range(fd, 0, 4096, SYNC_FILE_RANGE_WRITE));
    CALL(sync_file_range(fd, 0, 4096, 0x80));
    CALL(syncfs(fd));
    CALL(syncfs(minus_one));
    CALL(lseek(fd, 0, SEEK_DATA));
    CALL(lseek(fd, 100, SEEK_HOLE));
    CALL(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192));
    CALL(fallocate(fd, 0x400, 0, 8192));
    struct {
        uint64_t offset, length;
    } range = {0, 4096};
    uint64_t pages[5];
    const long told = syscall(SYS_cachestat, fd, &range, pages, 0);
    SAY("cachestat", "%d", told == 0 || errno == ENOSYS || errno == EOPNOTSUPP);
    CALL(syscall(SYS_cachestat, fd, nowhere, pages, 0));
    // Seals of memory.
    const int memory = memfd_create("name", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    CALL(ftruncate(memory, 4096));
    char* const view = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    CALL(fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE));
    CALL(fcntl(memory, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    view[0] = 1;
    CALL(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0) == MAP_FAILED ? -1 : 0);
    CALL(munmap(view, 4096));
    CALL(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL));
    CALL(ftruncate(memory, 100));
    CALL(ftruncate(memory, 8192));
    CALL(fcntl(memory, F_ADD_SEALS, F_SEAL_GROW));
    CALL(fcntl(memory, F_GET_SEALS));
    CALL(memfd_create("name", 0x4000));
    close(memory);
    close(fd);
}

int main(void) {
    extended_attributes();
    rights();
    names();
    looking_up();
    data();
    return 0;
}
