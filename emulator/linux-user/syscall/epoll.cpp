// epoll(7): the guest's epoll_event has 16 bytes, the host's 12.
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <cerrno>

#include "emulator/linux-user/riscv/abi.h"
#include "emulator/linux-user/syscall/calls.h"

namespace weft::user::calls {

SyscallOutcome epoll_ctl(CallContext& call) {
    if (call.number(1) == EPOLL_CTL_DEL) {
        return call.host(SYS_epoll_ctl, call.number(0), call.number(1), call.number(2), nullptr);
    }
    // The kernel reads the event before it looks at anything else.
    const auto guest = call.read<abi::EpollEvent>(call.arg(3));
    if (!guest) {
        return -EFAULT;
    }
    const ::epoll_event host = abi::to_host(*guest);
    return call.host(SYS_epoll_ctl, call.number(0), call.number(1), call.number(2), &host);
}

}  // namespace weft::user::calls
