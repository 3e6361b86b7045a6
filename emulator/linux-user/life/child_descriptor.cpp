#include "emulator/linux-user/life/child_descriptor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/raw_syscall.h"

namespace weft::user {

int64_t ChildDescriptor::reserve(GuestMemory& memory, uint64_t address) {
    // A socket and not a pipe: to tell a child that was killed is no signal.
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return -errno;
    }
    own_.reset(ends[0]);
    childs_.reset(ends[1]);
    room_.reset(::fcntl(own_.get(), F_DUPFD_CLOEXEC, 0));
    if (!room_) {
        return -errno;
    }
    const int32_t number = own_.get();
    return memory.write(address, &number, sizeof(number)) ? 0 : -EFAULT;
}

void ChildDescriptor::open(GuestMemory& memory, uint64_t address, int32_t child) {
    room_.reset();
    const UniqueFd opened(static_cast<int>(raw_syscall(SYS_pidfd_open, child, 0)));
    (void)raw_syscall(SYS_sendto, own_.get(), "", 1, MSG_NOSIGNAL, 0, 0);
    if (opened.get() >= 0 && raw_syscall(SYS_dup3, opened.get(), own_.get(), O_CLOEXEC) >= 0) {
        (void)own_.release();
        return;
    }
    // Another thread took the last number meanwhile. The child is there: the call cannot fail any more.
    constexpr int32_t kNone = -1;
    (void)memory.write(address, &kNone, sizeof(kNone));
}

void ChildDescriptor::wait() {
    room_.reset();
    own_.reset();
    char byte = 0;
    while (raw_syscall(SYS_read, childs_.get(), &byte, 1) == -EINTR) {
    }
    childs_.reset();
}

}  // namespace weft::user
