#include "emulator/linux-user/memory/host_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <string>

#include "base/raw_syscall.h"

namespace weft::user {

namespace {

// Of the C library's functions: sanitizers know what these do to memory.
int64_t result(long value) { return value == -1 ? -errno : value; }

void* pointer(uint64_t address) { return reinterpret_cast<void*>(address); }

#ifdef SYS_mseal
constexpr long kSysMseal = SYS_mseal;
#else
constexpr long kSysMseal = 462;  // the same on all architectures of Linux but alpha
#endif

}  // namespace

// Not the C library's mmap: some refuse what the kernel takes.
int64_t HostMemory::map(uint64_t address, uint64_t size, int protection, int flags, int fd,
                        uint64_t offset) const {
    return raw_syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

int64_t HostMemory::unmap(uint64_t address, uint64_t size) const {
    return raw_syscall(SYS_munmap, address, size);
}

int64_t HostMemory::protect(uint64_t address, uint64_t size, int protection) const {
    return raw_syscall(SYS_mprotect, address, size, protection);
}

int64_t HostMemory::remap(uint64_t address, uint64_t size, uint64_t new_size, int flags,
                          uint64_t new_address) const {
    return raw_syscall(SYS_mremap, address, size, new_size, flags, new_address);
}

int64_t HostMemory::remap_file(uint64_t address, uint64_t size, uint64_t page_offset, int flags) const {
    return raw_syscall(SYS_remap_file_pages, address, size, 0, page_offset, flags);
}

int64_t HostMemory::advise(uint64_t address, uint64_t size, int advice) const {
    return raw_syscall(SYS_madvise, address, size, advice);
}

int64_t HostMemory::sync(uint64_t address, uint64_t size, int flags) const {
    return raw_syscall(SYS_msync, address, size, flags);
}

int64_t HostMemory::lock(uint64_t address, uint64_t size, unsigned flags) const {
    return raw_syscall(SYS_mlock2, address, size, flags);
}

int64_t HostMemory::unlock(uint64_t address, uint64_t size) const {
    return raw_syscall(SYS_munlock, address, size);
}

int64_t HostMemory::resident(uint64_t address, uint64_t size, unsigned char* vector) const {
    return raw_syscall(SYS_mincore, address, size, vector);
}

int64_t HostMemory::read_file(int fd, void* to, uint64_t size, uint64_t offset) const {
    return result(::pread(fd, to, size, static_cast<off_t>(offset)));
}

int64_t HostMemory::attach(int id, uint64_t address, int flags) const {
    return raw_syscall(SYS_shmat, id, address, flags);
}

int64_t HostMemory::segment_size(int id) const {
    ::shmid_ds status;
    const int64_t outcome = result(::shmctl(id, IPC_STAT, &status));
    return outcome < 0 ? outcome : static_cast<int64_t>(status.shm_segsz);
}

int64_t HostMemory::describe(int fd, FileFacts& facts) const {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags == -1 || (flags & O_PATH) != 0) {
        return -EBADF;
    }
    struct ::stat status;
    if (::fstat(fd, &status) != 0) {
        return -errno;
    }
    struct ::statvfs mount;
    facts.no_execute = ::fstatvfs(fd, &mount) == 0 && (mount.f_flag & ST_NOEXEC) != 0;
    facts.device = status.st_dev;
    facts.inode = status.st_ino;
    facts.readable = (flags & O_ACCMODE) != O_WRONLY;
    facts.writable = (flags & O_ACCMODE) != O_RDONLY;
    return 0;
}

// The kernel answers where a load or store of weft's own would raise SIGSEGV or SIGBUS.
int64_t HostMemory::copy(uint64_t to, uint64_t from, uint64_t size) const {
    const ::iovec local{pointer(to), size};
    const ::iovec remote{pointer(from), size};
    return result(::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0));
}

int64_t HostMemory::mappings(uint64_t start, uint64_t end,
                             const std::function<void(uint64_t, uint64_t)>& found) const {
    std::ifstream maps("/proc/self/maps");
    if (!maps) {
        return -ENOENT;
    }
    for (std::string line; std::getline(maps, line);) {
        uint64_t from = 0, to = 0;
        const char* const last = line.data() + line.size();
        const auto dash = std::from_chars(line.data(), last, from, 16);
        if (dash.ec != std::errc() || dash.ptr == last) {
            continue;
        }
        std::from_chars(dash.ptr + 1, last, to, 16);
        if (from < end && start < to) {
            found(from, to);
        }
    }
    return 0;
}

bool HostMemory::has_seals() const { return raw_syscall(kSysMseal) == 0; }

const HostMemory& HostMemory::real() {
    static constexpr HostMemory kReal;
    return kReal;
}

}  // namespace weft::user
