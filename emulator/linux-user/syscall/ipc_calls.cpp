// System V semaphores and messages, and mq_notify(2): what their arguments are by operation.
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include <cerrno>
#include <climits>
#include <csignal>

#include "base/raw_syscall.h"
#include "emulator/linux-user/riscv/abi.h"
#include "emulator/linux-user/syscall/calls.h"

namespace weft::user::calls {

namespace {

using namespace arg;
using S = Struct;

// The room for all values of a set. Where the set may not be looked at, or is not there, the kernel says no.
uint64_t values_size(int id) {
    abi::HostSemidDs set{};
    const int64_t failed = raw_syscall(SYS_semctl, id, 0, IPC_STAT, &set);
    return failed < 0 ? sizeof(uint16_t) : set.nsems * sizeof(uint16_t);
}

// A message of `size` bytes, behind the word with its type. The kernel looks at the size before it looks at the text.
uint64_t message(CallContext& call, uint64_t address, uint64_t size) {
    return call.pointer(address, sizeof(uint64_t) + (size <= INT_MAX ? size : 0));
}

}  // namespace

SyscallOutcome semctl(CallContext& call) {
    const int id = call.number(0), number = call.number(1), command = call.number(2);
    const auto with = [&](uint64_t value) { return call.host(SYS_semctl, id, number, command, value); };
    switch (command) {
        case IPC_STAT:
        case SEM_STAT:
        case SEM_STAT_ANY: {
            abi::HostSemidDs host{};
            const int64_t result = with(reinterpret_cast<uint64_t>(&host));
            return result >= 0 && call.write(call.arg(3), abi::to_guest(host)) < 0 ? -EFAULT : result;
        }
        case IPC_SET: {
            const auto guest = call.read<abi::SemidDs>(call.arg(3));
            const abi::HostSemidDs host = abi::to_host(guest.value_or(abi::SemidDs{}));
            return with(guest ? reinterpret_cast<uint64_t>(&host) : kBadAddress);
        }
        case IPC_INFO:
        case SEM_INFO:
            return with(call.pointer(call.arg(3), sizeof(::seminfo)));
        case GETALL:
        case SETALL:
            return with(call.pointer(call.arg(3), values_size(id)));
        default:  // SETVAL's value, or nothing
            return with(call.arg(3));
    }
}

SyscallOutcome msgsnd(CallContext& call) {
    return call.host(SYS_msgsnd, call.number(0), message(call, call.arg(1), call.arg(2)), call.arg(2),
                     call.number(3));
}

SyscallOutcome msgrcv(CallContext& call) {
    return call.host(SYS_msgrcv, call.number(0), message(call, call.arg(1), call.arg(2)), call.arg(2),
                     call.arg(3), call.number(4));
}

// The value of SIGEV_THREAD is the address of a cookie for the C library's thread.
SyscallOutcome mq_notify(CallContext& call) {
    constexpr uint64_t kNotifyAt = 12;  // sigev_notify
    const auto notify = call.read<int32_t>(call.arg(1) + kNotifyAt);
    return notify == SIGEV_THREAD ? call.pass_as({fd, in(S::thread_sigevent)}) : call.pass();
}

}  // namespace weft::user::calls
