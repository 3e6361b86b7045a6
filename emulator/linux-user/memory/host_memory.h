// The host's memory calls as the guest's mapper makes them: results like the kernel's own, and one place in which a test can make
// any of them fail.
#pragma once

#include <cstdint>
#include <functional>

namespace weft::user {

// What an open file description allows.
struct FileFacts {
    uint64_t device = 0;
    uint64_t inode = 0;
    bool readable = false;
    bool writable = false;
    bool no_execute = false;  // on a mount with noexec
};

// Each function behaves as the system call it names and returns its result, or the negated errno. Addresses are the host's.
// Any thread. Implementations are stateless or keep their own order.
class HostMemory {
  public:
    constexpr HostMemory() = default;
    constexpr virtual ~HostMemory() {}
    HostMemory(const HostMemory&) = delete;
    HostMemory& operator=(const HostMemory&) = delete;

    virtual int64_t map(uint64_t address, uint64_t size, int protection, int flags, int fd,
                        uint64_t offset) const;                                      // mmap
    virtual int64_t unmap(uint64_t address, uint64_t size) const;                    // munmap
    virtual int64_t protect(uint64_t address, uint64_t size, int protection) const;  // mprotect
    virtual int64_t remap(uint64_t address, uint64_t size, uint64_t new_size, int flags,
                          uint64_t new_address) const;  // mremap
    virtual int64_t remap_file(uint64_t address, uint64_t size, uint64_t page_offset,
                               int flags) const;                                  // remap_file_pages
    virtual int64_t advise(uint64_t address, uint64_t size, int advice) const;    // madvise
    virtual int64_t sync(uint64_t address, uint64_t size, int flags) const;       // msync
    virtual int64_t lock(uint64_t address, uint64_t size, unsigned flags) const;  // mlock2
    virtual int64_t unlock(uint64_t address, uint64_t size) const;                // munlock
    virtual int64_t resident(uint64_t address, uint64_t size, unsigned char* vector) const;  // mincore
    virtual int64_t read_file(int fd, void* to, uint64_t size, uint64_t offset) const;       // pread
    virtual int64_t attach(int id, uint64_t address, int flags) const;                       // shmat
    // The size of a System V segment in bytes (shmctl IPC_STAT).
    virtual int64_t segment_size(int id) const;
    // fcntl, fstat and fstatvfs; -EBADF for a descriptor that is none, or has a path only.
    virtual int64_t describe(int fd, FileFacts& facts) const;
    // Copies within this process. Pages that cannot be read or written end it: bytes copied, or -EFAULT for none.
    virtual int64_t copy(uint64_t to, uint64_t from, uint64_t size) const;
    // Calls `found` with each mapping of this process that overlaps [start, end), in order.
    virtual int64_t mappings(uint64_t start, uint64_t end,
                             const std::function<void(uint64_t start, uint64_t end)>& found) const;
    // Whether the host's kernel has mseal (Linux 6.10): the guest is told what the host could do.
    virtual bool has_seals() const;

    // The system's own. Stateless and immutable.
    static const HostMemory& real();
};

}  // namespace weft::user
