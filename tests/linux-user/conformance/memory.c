// Memory calls whose answers a program can see: mapping, protecting, moving, growing, advising, and code that is written.
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "say.h"

#define PAGE 4096

static char* map(size_t pages, int protection) {
    return mmap(NULL, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void maps(void) {
    char* pages = map(4, PROT_READ | PROT_WRITE);
    DONE(munmap(pages + PAGE, PAGE));
    CALL(munmap(pages + 1, PAGE));
    CALL(munmap(pages, 0));
    CALL(mprotect(pages, 2 * PAGE, PROT_READ));
    CALL(mprotect(pages + 2 * PAGE, PAGE, 0x40));
    SAY("fixed", "%d", mmap(pages + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == pages + PAGE);
    SAY("occupied", "%s", result((long)mmap(pages, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)));
    SAY("no length", "%s", result((long)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
    SAY("no kind", "%s", result((long)mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0)));
    SAY("no file", "%s", result((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0)));
    SAY("odd offset", "%s", result((long)syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1)));
    unsigned char vector[4];
    SAY("mincore", "%s", result(mincore(pages, 4 * PAGE, vector)));
    CALL(madvise(pages + 1, PAGE, MADV_NORMAL));
    CALL(madvise(pages, PAGE, 9999));
}

static void moves(void) {
    char* pages = map(8, PROT_READ | PROT_WRITE);
    pages[0] = 1;
    pages[PAGE] = 2;
    SAY("shrink", "%d", mremap(pages, 8 * PAGE, 2 * PAGE, 0) == pages);
    char* other = map(4, PROT_NONE);
    char* moved = mremap(pages, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other);
    SAY("moved", "%d %d %d %d", moved == other, moved[0], moved[PAGE], moved[2 * PAGE]);
    SAY("gone", "%s", result((long)mremap(pages, PAGE, PAGE, 0)));
    SAY("flags", "%s", result((long)mremap(moved, PAGE, PAGE, 64)));
}

static void other_pages(void) {
    int fd = memfd_create("pages", 0);
    ftruncate(fd, 4 * PAGE) == 0 ? (void)0 : abort();
    char* shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (int i = 0; i < 4; ++i) {
        shared[i * PAGE] = (char)('a' + i);
    }
    CALL(remap_file_pages(shared, 2 * PAGE, 0, 2, 0));
    SAY("other pages", "%c%c%c%c", shared[0], shared[PAGE], shared[2 * PAGE], shared[3 * PAGE]);
    shared[PAGE] = 'z';
    SAY("the same page", "%c", shared[3 * PAGE]);
    CALL(remap_file_pages(shared, PAGE, PROT_READ, 0, 0));
    char* own = map(1, PROT_READ | PROT_WRITE);
    CALL(remap_file_pages(own, PAGE, 0, 0, 0));
    CALL(remap_file_pages(shared, 2 * PAGE, 0, 0, 0));
    SAY("as before", "%c%c%c%c", shared[0], shared[PAGE], shared[2 * PAGE], shared[3 * PAGE]);
}

static void heap(void) {
    char* start = sbrk(0);
    SAY("grow", "%d", sbrk(3 * PAGE) == (void*)start);
    start[0] = start[3 * PAGE - 1] = 7;
    sbrk(-3 * PAGE);
    SAY("shrink", "%d", sbrk(0) == (void*)start);
    sbrk(3 * PAGE);
    SAY("zero again", "%d", start[3 * PAGE - 1]);
}

static void files(void) {
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    if (write(fd, "0123456789", 10) != 10) {
        abort();
    }
    char* shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char* kept = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    shared[0] = 'a';
    kept[1] = 'b';
    char text[11] = "";
    pread(fd, text, 10, 0) == 10 ? (void)0 : abort();
    SAY("file", "%s %c %c %d", text, kept[0], kept[1], kept[10]);
    CALL(msync(shared, PAGE, MS_SYNC));
    CALL(msync(shared, PAGE, MS_SYNC | MS_ASYNC));
    CALL(ftruncate(fd, 2 * PAGE));
    int reader = open("file", O_RDONLY);
    SAY("read-only file", "%s", result((long)mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, reader, 0)));
}

static void segments(void) {
    int id = shmget(IPC_PRIVATE, 5000, 0600);
    char* one = shmat(id, NULL, 0);
    char* two = shmat(id, NULL, SHM_RDONLY);
    one[4999] = 9;
    SAY("shm", "%d", two[4999]);
    CALL(shmdt(two + 1));
    CALL(shmdt(two));
    CALL(shmdt(one));
    CALL(shmctl(id, IPC_RMID, NULL));
    CALL((long)shmat(id, NULL, 0));
}

// A function that returns `number`, in machine code.
static size_t write_function(char* place, int number) {
#if defined(__riscv)
    const uint32_t code[] = {0x00000513u | (uint32_t)number << 20, 0x00008067u};  // li a0, number; ret
#else
    const unsigned char code[] = {0xb8, (unsigned char)number, 0, 0, 0, 0xc3};
#endif
    memcpy(place, code, sizeof(code));
    __builtin___clear_cache(place, place + sizeof(code));
    return sizeof(code);
}

static void code(void) {
    char* page = map(1, PROT_READ | PROT_WRITE | PROT_EXEC);
    int sum = 0;
    for (int i = 0; i < 100; ++i) {
        write_function(page, i);
        sum += ((int (*)(void))(void*)page)();
    }
    SAY("written code", "%d", sum);
    // Two views of the same bytes.
    int fd = memfd_create("code", 0);
    ftruncate(fd, PAGE) == 0 ? (void)0 : abort();
    char* writable = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char* executable = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    sum = 0;
    for (int i = 0; i < 100; ++i) {
        const size_t size = write_function(writable, i);
        __builtin___clear_cache(executable, executable + size);
        sum += ((int (*)(void))(void*)executable)();
    }
    SAY("two views", "%d", sum);
    // Mapped anew: another function at the same address.
    sum = 0;
    for (int i = 0; i < 100; ++i) {
        char* again = mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        write_function(again, i);
        mprotect(again, PAGE, PROT_READ | PROT_EXEC);
        sum += ((int (*)(void))(void*)again)();
    }
    SAY("mapped anew", "%d", sum);
    // Written by the kernel.
    int ends[2];
    pipe(ends) == 0 ? (void)0 : abort();
    mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    sum = 0;
    for (int i = 0; i < 100; ++i) {
        char function[16];
        const size_t size = write_function(function, i);
        write(ends[1], function, size) == (ssize_t)size ? (void)0 : abort();
        if (read(ends[0], page, size) != (ssize_t)size) {
            SAY("read into code", "%s", strerrorname_np(errno));
            return;
        }
        __builtin___clear_cache(page, page + size);
        sum += ((int (*)(void))(void*)page)();
    }
    SAY("read by the kernel", "%d", sum);
}

// A jump, of less than a megabyte upwards.
static void write_jump(char* place, const char* target) {
    const uint32_t distance = (uint32_t)(target - place);
#if defined(__riscv)
    const uint32_t code = 0x6fu | (distance & 0xff000) | (distance >> 11 & 1) << 20 | (distance >> 1 & 0x3ff) << 21;
    memcpy(place, &code, sizeof(code));
#else
    const uint32_t relative = distance - 5;
    *place = (char)0xe9;
    memcpy(place + 1, &relative, sizeof(relative));
#endif
    __builtin___clear_cache(place, place + 5);
}

static const int bad_code_signals[] = {SIGSEGV, SIGILL, SIGBUS};
static sigjmp_buf no_code;
static void leave(int signal) { siglongjmp(no_code, signal); }

// What it returns; -1: a signal came.
static int call_code(const char* place) {
    const struct sigaction action = {.sa_handler = leave, .sa_flags = SA_NODEFER};
    for (unsigned i = 0; i < sizeof(bad_code_signals) / sizeof(bad_code_signals[0]); ++i) {
        sigaction(bad_code_signals[i], &action, NULL);
    }
    return sigsetjmp(no_code, 1) == 0 ? ((int (*)(void))(uintptr_t)place)() : -1;
}

// Code that was run, in a page that the child of a fork does not have, or has empty: beside it, over its start, and jumping to it.
static void code_over_fork(int advice, const char* name, int last_protection) {
    enum { kOld = 7, kNew = 9 };
    char* page = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page + 2 * PAGE, PAGE, PROT_NONE);
    char* const places[] = {page + PAGE + 256, page + PAGE - 2, page + 16};
    write_function(places[0], kOld);
    write_function(places[1], kOld);
    write_jump(places[2], places[0]);
    mprotect(page, 2 * PAGE, last_protection);
    for (int i = 0; i < 3; ++i) {
        // What is run once need not be kept.
        int sum = 0;
        for (int times = 0; times < 100; ++times) {
            sum += call_code(places[i]);
        }
        SAY(name, "%d before: %d", i, sum);
    }
    madvise(page + PAGE, PAGE, advice);
    for (int i = 0; i < 3; ++i) {
        const pid_t pid = fork();
        if (pid == 0) {
            const int found = call_code(places[i]);
            SAY(name, "%d in the child: %d", i, found);
            if (advice == MADV_DONTFORK) {
                mmap(page + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
            }
            mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
            write_function(i == 2 ? places[0] : places[i], kNew);
            SAY(name, "%d anew: %d", i, call_code(places[i]));
            _exit(3);
        }
        say_end(name, wait_for(pid));
        SAY(name, "%d afterwards: %d", i, call_code(places[i]));
    }
}

// RLIMIT_MEMLOCK is for the whole of a call: what is too much locks nothing. MS_INVALIDATE says what is locked.
static void locks(void) {
    char* pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages + PAGE, PAGE, PROT_READ);
    const pid_t pid = fork();
    if (pid == 0) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[2] = {0};
        const struct rlimit limit = {2 * PAGE, 2 * PAGE};
        CALL(setrlimit(RLIMIT_MEMLOCK, &limit));
        CALL(syscall(SYS_capset, &header, none));
        CALL(mlock(pages, 3 * PAGE));
        CALL(msync(pages, PAGE, MS_INVALIDATE));
        CALL(mlock(pages, 2 * PAGE));
        CALL(mlock(pages, 3 * PAGE));
        CALL(msync(pages, PAGE, MS_INVALIDATE));
        CALL(msync(pages + PAGE, PAGE, MS_INVALIDATE));
        CALL(msync(pages + 2 * PAGE, PAGE, MS_INVALIDATE));
        CALL(munlockall());
        CALL(msync(pages, 3 * PAGE, MS_INVALIDATE));
        _exit(0);
    }
    say_end("locks", wait_for(pid));
}

// Pages that cannot be read are not populated for reading, whatever the processor lets through.
static void populated(void) {
    enum { kPopulateRead = 22, kPopulateWrite = 23 };
    char* pages = map(3, PROT_READ);
    static const int protections[] = {PROT_NONE, PROT_WRITE, PROT_EXEC, PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE};
    for (unsigned i = 0; i < sizeof(protections) / sizeof(protections[0]); ++i) {
        mprotect(pages + PAGE, PAGE, protections[i]);
        SAY("populate for reading", "%d %s", protections[i], result(madvise(pages, 3 * PAGE, kPopulateRead)));
        SAY("populate for writing", "%d %s", protections[i], result(madvise(pages + PAGE, PAGE, kPopulateWrite)));
    }
}

// A seal keeps bytes that only memory has.
static void sealed(void) {
    enum { kMseal = 462 };
    const int fd = memfd_create("sealed", 0);
    ftruncate(fd, PAGE) == 0 ? (void)0 : abort();
    char* file = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    char* shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    char* pages = map(2, PROT_READ);
    mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE);
    CALL(syscall(kMseal, file, PAGE, 0));
    CALL(syscall(kMseal, shared, PAGE, 0));
    CALL(syscall(kMseal, pages, 2 * PAGE, 0));
    CALL(madvise(file, PAGE, MADV_DONTNEED));
    CALL(madvise(shared, PAGE, MADV_DONTNEED));
    CALL(madvise(pages, PAGE, MADV_DONTNEED));
    CALL(madvise(pages + PAGE, PAGE, MADV_DONTNEED));
    CALL(munmap(file, PAGE));
}

// Memory that the kernel may forget: nothing of it is a child's.
static void droppable(void) {
    enum { kDroppable = 8, kPageOut = 21 };
    const int flags = kDroppable | MAP_ANONYMOUS;
    char* pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
    SAY("droppable", "%s", pages != MAP_FAILED ? "there" : strerrorname_np(errno));
    SAY("locked", "%s", result((long)mmap(NULL, PAGE, PROT_READ, flags | MAP_LOCKED, -1, 0)));
    SAY("growing", "%s", result((long)mmap(NULL, PAGE, PROT_READ, flags | MAP_GROWSDOWN, -1, 0)));
    SAY("a file", "%s", result((long)mmap(NULL, PAGE, PROT_READ, kDroppable, memfd_create("none", 0), 0)));
    if (pages == MAP_FAILED) {
        return;
    }
    pages[PAGE] = 3;
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(pages[PAGE]);
    }
    say_end("a child's", wait_for(pid));
    CALL(madvise(pages, PAGE, MADV_KEEPONFORK));
    CALL(madvise(pages, 2 * PAGE, kPageOut));
    CALL(munmap(pages, 2 * PAGE));
}

static int depth(int n) {
    volatile char frame[4096];
    frame[0] = (char)n;
    return n == 0 ? frame[0] : depth(n - 1) + frame[0] * 0;
}

int main(void) {
    maps();
    moves();
    other_pages();
    heap();
    files();
    segments();
    code();
    const int writable = PROT_READ | PROT_WRITE | PROT_EXEC;
    code_over_fork(MADV_WIPEONFORK, "wiped", writable);
    code_over_fork(MADV_WIPEONFORK, "wiped text", PROT_READ | PROT_EXEC);
    code_over_fork(MADV_DONTFORK, "left out", writable);
    code_over_fork(MADV_DONTFORK, "text left out", PROT_READ | PROT_EXEC);
    locks();
    populated();
    sealed();
    droppable();
    SAY("a deep stack", "%d", depth(1000));
    return 0;
}
