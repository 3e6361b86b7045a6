// Handlers of SIGSEGV and SIGBUS as a program with faulting accesses has them, and memory that is not there in several ways.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/faulting_access.h"

namespace weft::test {

inline uint64_t page_size() { return static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }

// What redirect_faulting_access() does not know ends the test as if there was no handler.
inline void redirect_or_die(int signal, siginfo_t* info, void* context) {
    HostContext host(context);
    if (info->si_code <= 0 || !redirect_faulting_access(host, reinterpret_cast<uint64_t>(info->si_addr))) {
        ::signal(signal, SIG_DFL);
    }
}

// Both signals, until its end.
class FaultHandlers {
  public:
    using Function = void (*)(int, siginfo_t*, void*);

    explicit FaultHandlers(Function function = redirect_or_die) {
        struct sigaction action{};
        action.sa_sigaction = function;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        sigaction(SIGSEGV, &action, &segv_);
        sigaction(SIGBUS, &action, &bus_);
    }
    ~FaultHandlers() {
        sigaction(SIGSEGV, &segv_, nullptr);
        sigaction(SIGBUS, &bus_, nullptr);
    }
    FaultHandlers(const FaultHandlers&) = delete;
    FaultHandlers& operator=(const FaultHandlers&) = delete;

  private:
    struct sigaction segv_, bus_;
};

// Pages in a row, which are there and are zero.
class Pages {
  public:
    explicit Pages(unsigned count) : size_(count * page_size()) {
        void* const at = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) {
            abort();
        }
        start_ = static_cast<uint8_t*>(at);
    }
    ~Pages() { munmap(start_, size_); }
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;

    uint8_t* bytes() const { return start_; }
    uint64_t address(unsigned page = 0) const {
        return reinterpret_cast<uint64_t>(start_) + page * page_size();
    }

    void protect(unsigned page, int protection) const {
        if (mprotect(start_ + page * page_size(), page_size(), protection) != 0) {
            abort();
        }
    }

    // Makes this page and those after it lie behind the end of a file.
    void end_file_before(unsigned page) const {
        const int fd = memfd_create("pages", MFD_CLOEXEC);
        if (fd < 0 || ftruncate(fd, static_cast<off_t>(page * page_size())) != 0 ||
            mmap(start_, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
            abort();
        }
        close(fd);
    }

    // What another mapping may take from then on: the caller maps nothing meanwhile.
    void unmap(unsigned page) const { munmap(start_ + page * page_size(), page_size()); }

  private:
    uint8_t* start_;
    size_t size_;
};

}  // namespace weft::test
