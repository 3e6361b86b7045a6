// The system calls weft makes for memory, descriptors and threads, behind one table.
//
// Everything in weft that maps, protects or creates takes a `const HostCalls&`, by default the real one. A
// test derives from it and makes the n-th call fail, to see that every failure becomes a clear error and that
// nothing leaks.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <cstddef>

namespace weft {

// Each function behaves as the system call it names: result, errno and thread safety. Implementations must
// allow calls from any thread at once. The object outlives whatever was created through it.
class HostCalls {
  public:
    constexpr HostCalls() = default;
    constexpr virtual ~HostCalls() {}
    HostCalls(const HostCalls&) = delete;
    HostCalls& operator=(const HostCalls&) = delete;

    virtual void* map(void* address, std::size_t size, int prot, int flags, int fd,
                      off_t offset) const;                                  // mmap
    virtual int unmap(void* address, std::size_t size) const;               // munmap
    virtual int protect(void* address, std::size_t size, int prot) const;   // mprotect
    virtual int advise(void* address, std::size_t size, int advice) const;  // madvise
    virtual int create_memfd(const char* name, unsigned flags) const;       // memfd_create
    virtual int truncate(int fd, off_t size) const;                         // ftruncate
    virtual int create_eventfd(unsigned initial, int flags) const;          // eventfd
    virtual int membarrier(int command) const;                              // membarrier, without flags
    // pthread_create: returns the error number, errno is left alone.
    virtual int create_thread(pthread_t* thread, const pthread_attr_t* attributes, void* (*entry)(void*),
                              void* argument) const;

    // The system's own. Stateless and immutable.
    static const HostCalls& real();
};

}  // namespace weft
