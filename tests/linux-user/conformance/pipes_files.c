// Pipes and files: offsets, vectors, locks, holes, links, folders, times, and descriptors.
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include "say.h"

static void pipes(void) {
    int ends[2], size = 0;
    char text[32] = "";
    CALL(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
    SAY("flags", "%d %d", fcntl(ends[0], F_GETFD), (fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0);
    CALL(read(ends[0], text, 1));
    CALL(write(ends[1], "abcdef", 6));
    CALL(ioctl(ends[0], FIONREAD, &size));
    SAY("waiting", "%d", size);
    CALL(fcntl(ends[0], F_SETPIPE_SZ, 8192));
    CALL(fcntl(ends[0], F_GETPIPE_SZ));
    static char much[10000];
    CALL(write(ends[1], much, sizeof(much)));
    CALL(write(ends[1], much, 1));
    struct iovec parts[2] = {{text, 3}, {text + 8, 3}};
    CALL(readv(ends[0], parts, 2));
    SAY("parts", "%s %s", text, text + 8);
    CALL(lseek(ends[0], 0, SEEK_SET));
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    CALL(write(ends[1], "x", 1));
    int other[2];
    CALL(pipe(ends));
    CALL(pipe(other));
    CALL(write(ends[1], "tee", 3));
    CALL(tee(ends[0], other[1], 10, 0));
    CALL(read(other[0], text, sizeof(text)));
    CALL(splice(ends[0], NULL, other[1], NULL, 10, 0));
    CALL(read(other[0], text, sizeof(text)));
    struct iovec gift = {"vector", 6};
    CALL(vmsplice(ends[1], &gift, 1, 0));
    CALL(read(ends[0], text, sizeof(text)));
    CALL(pipe(nowhere));
}

static void files(void) {
    char text[64] = "";
    int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0640);
    CALL(open("file", O_RDWR | O_CREAT | O_EXCL, 0640));
    struct iovec out[3] = {{"one ", 4}, {"two ", 4}, {"three", 5}};
    CALL(writev(fd, out, 3));
    CALL(pwrite(fd, "ONE", 3, 0));
    CALL(lseek(fd, 0, SEEK_CUR));
    CALL(lseek(fd, -5, SEEK_END));
    CALL(read(fd, text, sizeof(text)));
    SAY("end", "%s", text);
    CALL(pread(fd, text, 3, 0));
    struct iovec in[2] = {{text, 4}, {text + 10, 20}};
    CALL(preadv(fd, in, 2, 2));
    SAY("parts", "%.4s %s", text, text + 10);
    CALL(syscall(SYS_preadv2, fd, in, 2, 0, 0, 0));
    CALL(lseek(fd, -1, SEEK_SET));
    CALL(lseek(fd, 0, 99));
    CALL(pread(fd, text, 1, -1));
    CALL(write(fd, nowhere, 4));
    CALL(writev(fd, out, minus_one));
    CALL(ftruncate(fd, 1 << 20));
    CALL(lseek(fd, 1 << 19, SEEK_SET));
    CALL(fallocate(fd, 0, 0, 4096));
    CALL(fallocate(fd, 0, -1, 4096));
    CALL(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
    CALL(fsync(fd));
    CALL(fdatasync(fd));
    struct stat status;
    CALL(fstat(fd, &status));
    SAY("status", "%ld %o %d %d", (long)status.st_size, status.st_mode, (int)status.st_nlink, status.st_uid == getuid());
    struct timespec times[2] = {{1000, 5}, {2000, 6}};
    CALL(futimens(fd, times));
    CALL(stat("file", &status));
    SAY("times", "%ld.%ld %ld.%ld", (long)status.st_atim.tv_sec, status.st_atim.tv_nsec, (long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    struct statx more;
    CALL(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &more));
    SAY("statx", "%lu %o %ld", (unsigned long)more.stx_size, more.stx_mode, (long)more.stx_mtime.tv_sec);
    CALL(fchmod(fd, 0400));
    CALL(fstat(fd, &status));
    SAY("mode", "%o", status.st_mode);
    int append = open("file", O_WRONLY | O_APPEND);
    SAY("append", "%s", append == -1 ? strerrorname_np(errno) : "opened");
    CALL(ftruncate(fd, 3));
    int memory = memfd_create("memory", MFD_ALLOW_SEALING);
    CALL(sendfile(memory, fd, &(off_t){1}, 100));
    CALL(copy_file_range(fd, &(loff_t){0}, memory, &(loff_t){10}, 2, 0));
    CALL(fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE));
    CALL(write(memory, "x", 1));
    CALL(fcntl(memory, F_GET_SEALS));
    struct statfs system_;
    CALL(fstatfs(fd, &system_));
    SAY("names", "%ld", (long)system_.f_namelen);
    close(fd);
}

static void locks(void) {
    int fd = open("lock", O_RDWR | O_CREAT, 0600);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};
    CALL(fcntl(fd, F_SETLK, &lock));
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        lock = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100};
        CALL(fcntl(fd, F_SETLK, &lock));
        CALL(fcntl(fd, F_GETLK, &lock));
        SAY("held", "%d %ld %ld %d", lock.l_type == F_WRLCK, (long)lock.l_start, (long)lock.l_len, lock.l_pid == parent);
        _exit(0);
    }
    say_end("child", wait_for(child));
    int other = open("lock", O_RDWR);
    CALL(flock(fd, LOCK_EX));
    CALL(flock(other, LOCK_SH | LOCK_NB));
    CALL(flock(fd, LOCK_UN));
    CALL(flock(other, LOCK_SH | LOCK_NB));
    lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 50, .l_len = 1};
    CALL(fcntl(fd, F_OFD_SETLK, &lock));
    CALL(fcntl(other, F_OFD_SETLK, &lock));
    CALL(fcntl(fd, F_SETLK, nowhere));
    CALL(fcntl(fd, 9999, 0));
}

static int by_name(const void* a, const void* b) { return strcmp(*(char* const*)a, *(char* const*)b); }

static void folders(void) {
    char text[PATH_MAX] = "";
    CALL(mkdir("folder", 0755));
    CALL(mkdir("folder", 0755));
    CALL(chdir("folder"));
    CALL(symlink("../file", "link"));
    CALL(link("link", "hard"));
    CALL(mkfifo("fifo", 0600));
    for (int i = 0; i < 300; ++i) {
        snprintf(text, sizeof(text), "number-%d", i);
        close(open(text, O_CREAT | O_WRONLY, 0600));
    }
    DIR* folder = opendir(".");
    char* names[400];
    int count = 0, types = 0;
    for (struct dirent* entry; (entry = readdir(folder)) != NULL && count < 400;) {
        types += entry->d_type == DT_REG;
        names[count++] = strdup(entry->d_name);
    }
    qsort(names, (size_t)count, sizeof(names[0]), by_name);
    SAY("entries", "%d %d %s %s %s %s", count, types, names[0], names[2], names[count / 2], names[count - 1]);
    closedir(folder);
    memset(text, 0, sizeof(text));
    CALL(readlink("link", text, sizeof(text)));
    SAY("link", "%s", text);
    CALL(readlink("link", text, 3));
    CALL(readlink("fifo", text, sizeof(text)));
    struct stat status;
    CALL(lstat("link", &status));
    SAY("link", "%d %ld", S_ISLNK(status.st_mode), (long)status.st_size);
    CALL(access("link", R_OK));
    CALL(access("number-7", X_OK | R_OK));
    CALL(open("number-7/x", O_RDONLY));
    CALL(open("link", O_RDONLY | O_NOFOLLOW));
    CALL(open(".", O_WRONLY));
    CALL(rename("number-1", "number-2"));
    CALL(renameat2(AT_FDCWD, "number-3", AT_FDCWD, "number-4", RENAME_NOREPLACE));
    CALL(renameat2(AT_FDCWD, "number-3", AT_FDCWD, "number-4", RENAME_EXCHANGE));
    CALL(unlink("number-1"));
    CALL(rmdir("number-2"));
    CALL(unlink("."));
    CALL(rmdir("../folder"));
    getcwd(text, sizeof(text)) == text ? (void)0 : abort();
    SAY("folder", "%s", strrchr(text, '/'));
    SAY("short", "%s", getcwd(text, 3) == NULL ? strerrorname_np(errno) : "done");
    CALL(truncate("number-9", 77));
    CALL(stat("number-9", &status));
    SAY("size", "%ld", (long)status.st_size);
    memset(text, 'x', 300);
    text[300] = 0;
    CALL(open(text, O_RDONLY));
    CALL(open("", O_RDONLY));
    CALL(open(nowhere, O_RDONLY));
    int here = open(".", O_PATH | O_DIRECTORY);
    SAY("relative", "%d", openat(here, "number-9", O_RDONLY) >= 0);
    CALL(fstatat(here, "number-9", &status, AT_SYMLINK_NOFOLLOW));
    CALL(read(here, text, 1));
    CALL(umask(027));
    CALL(umask(022));
}

static void descriptors(void) {
    int fd = open("/dev/null", O_RDWR);
    CALL(dup2(fd, 100));
    CALL(dup3(fd, fd, 0));
    CALL(fcntl(fd, F_DUPFD_CLOEXEC, 200));
    CALL(fcntl(200, F_GETFD));
    CALL(close(200));
    CALL(close(200));
    CALL(fcntl(200, F_GETFD));
    CALL(syscall(SYS_close_range, 90, 110, 0));
    CALL(fcntl(100, F_GETFD));
    CALL(ioctl(fd, 0x5401 /* TCGETS */, nowhere));
    int on = 1;
    CALL(ioctl(fd, FIONBIO, &on));
    CALL(fcntl(fd, F_SETFL, O_APPEND));
    SAY("flags", "%d", (fcntl(fd, F_GETFL) & O_APPEND) != 0);
    CALL(isatty(fd));
    close(fd);
}

int main(void) {
    umask(022);
    pipes();
    files();
    locks();
    folders();
    descriptors();
    return 0;
}
