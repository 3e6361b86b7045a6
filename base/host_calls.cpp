#include "base/host_calls.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace weft {

void* HostCalls::map(void* address, std::size_t size, int prot, int flags, int fd, off_t offset) const {
    return ::mmap(address, size, prot, flags, fd, offset);
}

int HostCalls::unmap(void* address, std::size_t size) const { return ::munmap(address, size); }

int HostCalls::protect(void* address, std::size_t size, int prot) const {
    return ::mprotect(address, size, prot);
}

int HostCalls::advise(void* address, std::size_t size, int advice) const {
    return ::madvise(address, size, advice);
}

int HostCalls::create_memfd(const char* name, unsigned flags) const { return ::memfd_create(name, flags); }

int HostCalls::truncate(int fd, off_t size) const { return ::ftruncate(fd, size); }

int HostCalls::create_eventfd(unsigned initial, int flags) const { return ::eventfd(initial, flags); }

int HostCalls::create_thread(pthread_t* thread, const pthread_attr_t* attributes, void* (*entry)(void*),
                             void* argument) const {
    return ::pthread_create(thread, attributes, entry, argument);
}

// The C library has no function for it.
int HostCalls::membarrier(int command) const {
    return static_cast<int>(::syscall(SYS_membarrier, command, 0, 0));
}

const HostCalls& HostCalls::real() {
    static constexpr HostCalls kReal;
    return kReal;
}

}  // namespace weft
