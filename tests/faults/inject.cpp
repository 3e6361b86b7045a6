// Loaded into weft-system-riscv64 or weft-riscv64 before everything else (LD_PRELOAD): makes one or more of weft's allocations or
// system calls fail, and reports.
//
//   WEFT_FAIL_KIND    alloc: operator new; call: mapping, protection, advice, memfd, its size, eventfd, timerfd, threads;
//                     thread: threads; memfd: memory files; exec: mappings and protections that ask for execute
//                     permission; wx: those that ask for it together with write permission
//   WEFT_FAIL_AT      alloc, call: the number, from 0, of the one that fails. Of the others each one fails
//   WEFT_FAIL_FROM    alloc, call, in place of WEFT_FAIL_AT: all from this number on fail
//   WEFT_FAIL_REPORT  a file that becomes a Report, which is up to date at any time
//
// Allocations are the whole process's but those of C libraries (GLib), which use malloc. System calls are those that weft's
// own objects make. What is alive at the end was leaked, as far as it is more than without a failure. Children of fork go on
// counting where their parent is, and so fail once in all, not each once; what is alive is the first process's.
//
// A signal handler must not allocate. User mode's runs with SIGSEGV blocked, and nothing else of it that allocates does.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

enum class Kind { none, alloc, call, thread, memfd, exec, wx };

// Of the first process and its children, which have it as shared memory: a process that ends by exit_group runs no
// destructor. injection.py reads it.
struct Report {
    std::atomic<int64_t> failed;       // not 0: something did
    std::atomic<int64_t> calls;        // of the kind
    std::atomic<int64_t> allocations;  // alive
    std::atomic<int64_t> bytes;        // mapped, of those that weft's objects map
    std::atomic<int64_t> descriptors;  // where the program ends by exit
    std::atomic<int64_t> in_handler;   // allocations in a signal handler
};

Report& make_report(const char* path) {
    const int fd = path == nullptr ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (path != nullptr && (fd < 0 || syscall(SYS_ftruncate, fd, sizeof(Report)) != 0)) {
        std::abort();
    }
    const int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
    const long memory = syscall(SYS_mmap, nullptr, sizeof(Report), PROT_READ | PROT_WRITE, flags, fd, 0);
    if (memory == -1) {
        std::abort();
    }
    if (fd >= 0) {
        close(fd);
    }
    return *reinterpret_cast<Report*>(memory);
}

// A preloaded object has no owner: its state is the process's.
struct Injector {
    Kind kind = Kind::none;
    long first = LONG_MAX;
    long last = LONG_MAX;  // of those that fail
    const pid_t process = getpid();
    Report& report = make_report(std::getenv("WEFT_FAIL_REPORT"));

    Injector() {
        const char* name = std::getenv("WEFT_FAIL_KIND");
        const char* at = std::getenv("WEFT_FAIL_AT");
        const char* from = std::getenv("WEFT_FAIL_FROM");
        if (name == nullptr || (at == nullptr && from == nullptr)) {
            return;
        }
        kind = kind_of(name);
        first = std::strtol(from != nullptr ? from : at, nullptr, 10);
        last = from != nullptr ? LONG_MAX : first;
        if (kind != Kind::alloc && kind != Kind::call) {
            first = 0;
            last = LONG_MAX;
        }
    }

    static Kind kind_of(const char* name) {
        const struct {
            const char* name;
            Kind kind;
        } kinds[] = {{"alloc", Kind::alloc}, {"call", Kind::call}, {"thread", Kind::thread},
                     {"memfd", Kind::memfd}, {"exec", Kind::exec}, {"wx", Kind::wx}};
        for (const auto& each : kinds) {
            if (std::strcmp(name, each.name) == 0) {
                return each.kind;
            }
        }
        return Kind::none;
    }

    bool fails(Kind which) {
        if (which != kind) {
            return false;
        }
        if (const long number = report.calls.fetch_add(1); number < first || number > last) {
            return false;
        }
        report.failed.store(1);
        return true;
    }

    void add(std::atomic<int64_t>& what, int64_t number) const {
        if (getpid() == process) {
            what.fetch_add(number);
        }
    }
};

Injector& injector() {
    alignas(Injector) static std::byte memory[sizeof(Injector)];
    static auto* const instance = new (memory) Injector;
    return *instance;
}

[[gnu::constructor]] void begin() { injector(); }

[[gnu::destructor]] void count_descriptors() {
    int64_t descriptors = 0;
    if (DIR* folder = opendir("/proc/self/fd")) {
        while (readdir(folder) != nullptr) {
            ++descriptors;
        }
        closedir(folder);
    }
    injector().report.descriptors.store(descriptors);
}

bool in_handler() {
    sigset_t mask;
    return pthread_sigmask(SIG_SETMASK, nullptr, &mask) == 0 && sigismember(&mask, SIGSEGV) == 1;
}

// Whether the caller is weft's.
bool from_weft(const void* caller) {
    Dl_info info{};
    if (dladdr(caller, &info) == 0 || info.dli_fname == nullptr) {
        return false;
    }
    const char* const slash = std::strrchr(info.dli_fname, '/');
    const char* const object = slash != nullptr ? slash + 1 : info.dli_fname;
    for (const char* name : {"weft-system-riscv64", "weft-riscv64", "accel-tcg.so"}) {
        if (std::strcmp(object, name) == 0) {
            return true;
        }
    }
    return false;
}

// A call of the kind `which` as well as of Kind::call.
bool call_fails(const void* caller, int error, Kind which = Kind::call) {
    const Kind kind = injector().kind;
    if ((kind != Kind::call && kind != which) || !from_weft(caller) || !injector().fails(kind)) {
        return false;
    }
    errno = error;
    return true;
}

// The kind besides Kind::call that a mapping with this access is.
Kind kind_of_access(int prot) {
    if ((prot & PROT_EXEC) == 0) {
        return Kind::call;
    }
    return injector().kind == Kind::wx && (prot & PROT_WRITE) != 0 ? Kind::wx : Kind::exec;
}

void* allocate(size_t size, size_t alignment) {
    if (injector().kind == Kind::alloc && in_handler()) {
        injector().report.in_handler.fetch_add(1);
    }
    if (injector().fails(Kind::alloc)) {
        return nullptr;
    }
    void* const memory = alignment == 0
                             ? std::malloc(size)
                             : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    injector().add(injector().report.allocations, 1);
    return memory;
}

void* allocate_or_throw(size_t size, size_t alignment) {
    void* const memory = allocate(size, alignment);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

void release(void* memory) {
    if (memory != nullptr) {
        injector().add(injector().report.allocations, -1);
        std::free(memory);
    }
}

}  // namespace

void* operator new(size_t size) { return allocate_or_throw(size, 0); }
void* operator new[](size_t size) { return allocate_or_throw(size, 0); }
void* operator new(size_t size, std::align_val_t align) {
    return allocate_or_throw(size, static_cast<size_t>(align));
}
void* operator new[](size_t size, std::align_val_t align) {
    return allocate_or_throw(size, static_cast<size_t>(align));
}
void* operator new(size_t size, const std::nothrow_t&) noexcept { return allocate(size, 0); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return allocate(size, 0); }
void* operator new(size_t size, std::align_val_t align, const std::nothrow_t&) noexcept {
    return allocate(size, static_cast<size_t>(align));
}
void* operator new[](size_t size, std::align_val_t align, const std::nothrow_t&) noexcept {
    return allocate(size, static_cast<size_t>(align));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, size_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { release(memory); }

// What the program calls instead of the C library's.
#pragma GCC visibility push(default)
extern "C" {

void* mmap64(void* address, size_t size, int prot, int flags, int fd, off64_t offset) noexcept {
    const void* const caller = __builtin_return_address(0);
    if (call_fails(caller, ENOMEM, kind_of_access(prot))) {
        return MAP_FAILED;
    }
    // Returns as the system call does: mappings end below the errors.
    const long result = syscall(SYS_mmap, address, size, prot, flags, fd, offset);
    if (result != -1 && from_weft(caller) && (flags & MAP_FIXED) == 0) {
        injector().add(injector().report.bytes, static_cast<int64_t>(size));
    }
    return reinterpret_cast<void*>(result);
}

int munmap(void* address, size_t size) noexcept {
    if (from_weft(__builtin_return_address(0))) {
        injector().add(injector().report.bytes, -static_cast<int64_t>(size));
    }
    return static_cast<int>(syscall(SYS_munmap, address, size));
}

int mprotect(void* address, size_t size, int prot) noexcept {
    return call_fails(__builtin_return_address(0), ENOMEM, kind_of_access(prot))
               ? -1
               : static_cast<int>(syscall(SYS_mprotect, address, size, prot));
}

int madvise(void* address, size_t size, int advice) noexcept {
    return call_fails(__builtin_return_address(0), EINVAL)
               ? -1
               : static_cast<int>(syscall(SYS_madvise, address, size, advice));
}

int memfd_create(const char* name, unsigned flags) noexcept {
    return call_fails(__builtin_return_address(0), EMFILE, Kind::memfd)
               ? -1
               : static_cast<int>(syscall(SYS_memfd_create, name, flags));
}

int ftruncate64(int fd, off64_t size) noexcept {
    return call_fails(__builtin_return_address(0), ENOSPC)
               ? -1
               : static_cast<int>(syscall(SYS_ftruncate, fd, size));
}

int eventfd(unsigned initial, int flags) noexcept {
    return call_fails(__builtin_return_address(0), EMFILE)
               ? -1
               : static_cast<int>(syscall(SYS_eventfd2, initial, flags));
}

int timerfd_create(int clock, int flags) noexcept {
    return call_fails(__builtin_return_address(0), EMFILE)
               ? -1
               : static_cast<int>(syscall(SYS_timerfd_create, clock, flags));
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*entry)(void*),
                   void* argument) noexcept {
    if (call_fails(__builtin_return_address(0), EAGAIN, Kind::thread)) {
        return EAGAIN;
    }
    using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
    static const auto real = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
    return real(thread, attributes, entry, argument);
}

}  // extern "C"
#pragma GCC visibility pop
