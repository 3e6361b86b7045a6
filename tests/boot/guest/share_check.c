// What a program expects of a file system, done in a folder that is named: each line is "WEFT share NAME=ok", or says what was otherwise.
// Prints the same on any file system that keeps the rules; what it leaves there, the test looks at from the host.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { kNames = 1200, kLength = 300000 };

static const char* step;

#define CHECK(condition)                                                                            \
    do {                                                                                            \
        if (!(condition)) {                                                                         \
            printf("WEFT share %s: line %d: %s (errno %s)\n", step, __LINE__, #condition, strerror(errno)); \
            return;                                                                                 \
        }                                                                                           \
    } while (0)

static unsigned char byte_at(size_t i) { return (unsigned char)(i * 31 + (i >> 8) * 7); }

static void writes(void) {
    static unsigned char bytes[kLength], back[kLength];
    for (size_t i = 0; i < kLength; ++i) {
        bytes[i] = byte_at(i);
    }
    int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0640);
    CHECK(fd >= 0);
    for (size_t done = 0; done < kLength;) {
        size_t part = done % 7001 + 1;
        if (part > kLength - done) {
            part = kLength - done;
        }
        CHECK(write(fd, bytes + done, part) == (ssize_t)part);
        done += part;
    }
    CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
    CHECK(pread(fd, back, kLength, 0) == kLength && memcmp(bytes, back, kLength) == 0);
    CHECK(pread(fd, back, 100, kLength) == 0);
    struct stat facts;
    CHECK(fstat(fd, &facts) == 0 && facts.st_size == kLength && (facts.st_mode & 07777) == 0640);
    CHECK(close(fd) == 0);
    fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    CHECK(fd >= 0 && write(fd, "one\n", 4) == 4 && close(fd) == 0);
    fd = open("log", O_WRONLY | O_APPEND);
    CHECK(fd >= 0 && write(fd, "two\n", 4) == 4 && close(fd) == 0);
    fd = open("sparse", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && pwrite(fd, "end", 3, 1 << 20) == 3 && ftruncate(fd, (1 << 20) + 2) == 0);
    CHECK(fstat(fd, &facts) == 0 && facts.st_size == (1 << 20) + 2);
    CHECK(pread(fd, back, 4, (1 << 20) - 2) == 4 && memcmp(back, "\0\0en", 4) == 0 && close(fd) == 0);
    CHECK(open("data", O_RDWR | O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST);
    CHECK(open("none", O_RDONLY) == -1 && errno == ENOENT);
    printf("WEFT share %s=ok\n", step);
}

static void renames(void) {
    CHECK(mkdir("a", 0755) == 0 && mkdir("a/b", 0700) == 0 && mkdir("c", 0755) == 0);
    int fd = open("a/b/file", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && write(fd, "kept", 4) == 4);
    CHECK(rename("a/b", "c/d") == 0);
    char text[8] = "";
    CHECK(pread(fd, text, 4, 0) == 4 && strcmp(text, "kept") == 0);
    CHECK(access("c/d/file", F_OK) == 0 && access("a/b", F_OK) == -1 && errno == ENOENT);
    CHECK(rename("c", "c/d/e") == -1 && errno == EINVAL);
    fd = open("victim", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && write(fd, "gone", 4) == 4 && close(fd) == 0);
    CHECK(rename("c/d/file", "victim") == 0);
    fd = open("victim", O_RDONLY);
    CHECK(fd >= 0 && read(fd, text, 8) == 4 && memcmp(text, "kept", 4) == 0 && close(fd) == 0);
    CHECK(rmdir("c") == -1 && errno == ENOTEMPTY && rmdir("c/d") == 0 && rmdir("c") == 0 && rmdir("a") == 0);
    CHECK(symlink("victim", "link") == 0 && readlink("link", text, 8) == 6 && link("victim", "hard") == 0);
    struct stat one, two;
    CHECK(stat("link", &one) == 0 && stat("hard", &two) == 0 && one.st_ino == two.st_ino && two.st_nlink == 2);
    CHECK(chmod("hard", 0604) == 0 && stat("victim", &one) == 0 && (one.st_mode & 07777) == 0604);
    // Whole seconds: Linux' 9P keeps no finer ones.
    const struct timespec times[] = {{1000000000, 0}, {1100000000, 0}};
    CHECK(utimensat(AT_FDCWD, "hard", times, 0) == 0 && stat("hard", &one) == 0);
    CHECK(one.st_atim.tv_sec == 1000000000 && one.st_mtim.tv_sec == 1100000000);
    printf("WEFT share %s=ok\n", step);
}

static void unlinked(void) {
    int fd = open("short-lived", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && write(fd, "abc", 3) == 3 && unlink("short-lived") == 0);
    char text[4] = "";
    CHECK(pread(fd, text, 3, 0) == 3 && strcmp(text, "abc") == 0 && pwrite(fd, "d", 1, 3) == 1);
    CHECK(access("short-lived", F_OK) == -1 && close(fd) == 0);
    printf("WEFT share %s=ok\n", step);
}

static void long_folder(void) {
    CHECK(mkdir("many", 0755) == 0);
    char name[300];
    for (int i = 0; i < kNames; ++i) {
        const int length = snprintf(name, sizeof(name), "many/%d-%0*d", i, i % 200 + 1, 0);
        CHECK(length > 0);
        int fd = open(name, O_WRONLY | O_CREAT, 0600);
        CHECK(fd >= 0 && close(fd) == 0);
    }
    DIR* folder = opendir("many");
    CHECK(folder != NULL);
    static char seen[kNames];
    int count = 0;
    for (struct dirent* entry; (entry = readdir(folder)) != NULL; ++count) {
        if (entry->d_name[0] != '.') {
            const int i = atoi(entry->d_name);
            CHECK(i >= 0 && i < kNames && !seen[i]);
            seen[i] = 1;
        }
    }
    CHECK(count == kNames + 2);
    rewinddir(folder);
    CHECK(readdir(folder) != NULL && closedir(folder) == 0);
    printf("WEFT share %s=ok\n", step);
}

static void attributes(void) {
    char text[64];
    CHECK(setxattr("data", "user.weft", "value", 5, 0) == 0);
    CHECK(getxattr("data", "user.weft", text, sizeof(text)) == 5 && memcmp(text, "value", 5) == 0);
    CHECK(setxattr("data", "user.weft", "x", 1, XATTR_CREATE) == -1 && errno == EEXIST);
    CHECK(setxattr("data", "user.gone", "x", 1, 0) == 0 && removexattr("data", "user.gone") == 0);
    CHECK(getxattr("data", "user.gone", text, sizeof(text)) == -1 && errno == ENODATA);
    CHECK(listxattr("data", text, sizeof(text)) >= 10 && memmem(text, sizeof(text), "user.weft", 10) != NULL);
    printf("WEFT share %s=ok\n", step);
}

static void locks(void) {
    int fd = open("data", O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};
    CHECK(fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0);
    const pid_t child = fork();
    if (child == 0) {
        struct flock asked = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1};
        int other = open("data", O_RDWR);
        const int refused = fcntl(other, F_SETLK, &asked) == -1 && (errno == EAGAIN || errno == EACCES);
        asked.l_start = 100;
        _exit(other >= 0 && refused && fcntl(other, F_SETLK, &asked) == 0 ? 0 : 1);
    }
    int status = 1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    lock.l_type = F_UNLCK;
    CHECK(fcntl(fd, F_SETLK, &lock) == 0 && close(fd) == 0);
    printf("WEFT share %s=ok\n", step);
}

static void mapping(void) {
    int fd = open("data", O_RDONLY);
    CHECK(fd >= 0);
    const unsigned char* bytes = mmap(NULL, kLength, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(bytes != MAP_FAILED);
    for (size_t i = 0; i < kLength; i += 997) {
        CHECK(bytes[i] == byte_at(i));
    }
    CHECK(close(fd) == 0);
    struct statvfs facts;
    CHECK(statvfs(".", &facts) == 0 && facts.f_namemax == 255 && facts.f_bsize > 0);
    printf("WEFT share %s=ok\n", step);
}

int main(int count, char** arguments) {
    static const struct {
        const char* name;
        void (*run)(void);
    } steps[] = {{"writes", writes},         {"renames", renames}, {"unlinked", unlinked},
                 {"long-folder", long_folder}, {"attributes", attributes}, {"locks", locks}, {"mapping", mapping}};
    if (count != 2 || chdir(arguments[1]) != 0) {
        printf("WEFT share: no folder\n");
        return 1;
    }
    umask(0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); ++i) {
        step = steps[i].name;
        steps[i].run();
    }
    return 0;
}
