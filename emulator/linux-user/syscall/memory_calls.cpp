// The memory calls: their arguments, to emulator/linux-user/memory.
#include <algorithm>
#include <cerrno>
#include <vector>

#include "emulator/linux-user/syscall/calls.h"

namespace weft::user::calls {

// 0, which no break can be, before a program is there.
SyscallOutcome brk(CallContext& call) {
    Heap* heap = call.process.heap();
    return heap != nullptr ? static_cast<int64_t>(heap->set(call.arg(0))) : 0;
}
SyscallOutcome mmap(CallContext& call) {
    return call.process.mapper().map(call.arg(0), call.arg(1), call.arg(2), call.arg(3), call.number(4),
                                     call.arg(5));
}
SyscallOutcome munmap(CallContext& call) { return call.process.mapper().unmap(call.arg(0), call.arg(1)); }
SyscallOutcome mprotect(CallContext& call) {
    return call.process.mapper().protect(call.arg(0), call.arg(1), call.arg(2));
}
SyscallOutcome mremap(CallContext& call) {
    return call.process.mapper().remap(call.arg(0), call.arg(1), call.arg(2), call.arg(3), call.arg(4));
}
SyscallOutcome remap_file_pages(CallContext& call) {
    return call.process.mapper().remap_file_pages(call.arg(0), call.arg(1), call.arg(2), call.arg(3),
                                                  call.arg(4));
}
SyscallOutcome pkey_mprotect(CallContext& call) {
    return call.process.mapper().protect_with_key(call.arg(0), call.arg(1), call.arg(2), call.number(3));
}
SyscallOutcome pkey_alloc(CallContext& call) { return call.process.mapper().allocate_key(); }
SyscallOutcome pkey_free(CallContext&) { return -EINVAL; }  // none was ever given

SyscallOutcome madvise(CallContext& call) {
    return call.process.advice().advise(call.arg(0), call.arg(1), call.number(2));
}
SyscallOutcome msync(CallContext& call) {
    return call.process.advice().sync(call.arg(0), call.arg(1), call.number(2));
}
SyscallOutcome mlock(CallContext& call) { return call.process.advice().lock(call.arg(0), call.arg(1), 0); }
SyscallOutcome mlock2(CallContext& call) {
    return call.process.advice().lock(call.arg(0), call.arg(1), call.bits(2));
}
SyscallOutcome munlock(CallContext& call) { return call.process.advice().unlock(call.arg(0), call.arg(1)); }
SyscallOutcome mlockall(CallContext& call) { return call.process.advice().lock_all(call.bits(0)); }
SyscallOutcome munlockall(CallContext& call) { return call.process.advice().unlock_all(); }
SyscallOutcome mseal(CallContext& call) {
    return call.process.advice().seal(call.arg(0), call.arg(1), call.arg(2));
}

// In the kernel's order: alignment, the range, the vector's address; then piece by piece.
SyscallOutcome mincore(CallContext& call) {
    const uint64_t start = call.arg(0), length = call.arg(1);
    const GuestRange& range = call.process.memory().range();
    if (start % kGuestPage != 0) {
        return -EINVAL;
    }
    if (!range.holds(start, length)) {
        return -ENOMEM;
    }
    const uint64_t pages = length / kGuestPage + (length % kGuestPage != 0 ? 1 : 0);
    if (!range.holds(call.arg(2), pages)) {
        return -EFAULT;
    }
    std::vector<unsigned char> vector(std::min(pages, kGuestPage));
    for (uint64_t done = 0; done < pages;) {
        const uint64_t wanted = std::min<uint64_t>(pages - done, vector.size());
        const int64_t count =
            call.process.advice().resident(start + done * kGuestPage, wanted * kGuestPage, vector.data());
        if (count < 0) {
            return count;
        }
        if (call.write(call.arg(2) + done, vector.data(), static_cast<size_t>(count)) < 0) {
            return -EFAULT;
        }
        done += static_cast<uint64_t>(count);
    }
    return 0;
}

SyscallOutcome shmat(CallContext& call) {
    return call.process.shared_memory().attach(call.number(0), call.arg(1), call.number(2));
}
SyscallOutcome shmdt(CallContext& call) { return call.process.shared_memory().detach(call.arg(0)); }

}  // namespace weft::user::calls
