// The process as its program sees it, and what has no family: limits, names, futex(2), the ends.
#include <linux/futex.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/raw_syscall.h"
#include "emulator/linux-user/signal/deliver.h"
#include "emulator/linux-user/syscall/calls.h"

namespace weft::user::calls {

namespace {

// Effective CAP_SYS_RESOURCE of the calling thread, as capget(2) tells it. Whatever signals wait: the call has begun.
bool may_raise_limits() {
    struct {
        uint32_t version, pid;
    } header{0x20080522, 0};
    std::array<std::array<uint32_t, 3>, 2> data{};  // effective, permitted, inheritable
    constexpr uint32_t kSysResource = uint32_t{1} << 24;
    return raw_syscall(SYS_capget, &header, data.data()) == 0 && (data[0][0] & kSysResource) != 0;
}

struct Limits {
    uint64_t current, maximum;
};

// prlimit64 of this process; addresses are the guest's, null for what is not asked.
int64_t own_limit(CallContext& call, unsigned resource, uint64_t new_limit, uint64_t old_limit) {
    if (!Process::keeps_limit(resource)) {
        return call.host(SYS_prlimit64, 0, resource, call.pointer(new_limit, sizeof(Limits)),
                         call.pointer(old_limit, sizeof(Limits)));
    }
    const Process::Limit before = call.process.limit(resource);
    if (new_limit != 0) {
        const auto wanted = call.read<Limits>(new_limit);
        if (!wanted) {
            return -EFAULT;
        }
        const int failed =
            call.process.set_limit(resource, {wanted->current, wanted->maximum}, may_raise_limits());
        if (failed < 0) {
            return failed;
        }
    }
    return old_limit != 0 ? call.write(old_limit, Limits{before.soft, before.hard}) : 0;
}

void put_name(char (&to)[sizeof(::utsname::release)], const std::string& text) {
    std::memset(to, 0, sizeof(to));
    std::memcpy(to, text.data(), std::min(text.size(), sizeof(to) - 1));
}

// Operations whose fourth argument is a time; with the others it is a number.
bool has_timeout(int operation) {
    switch (operation & FUTEX_CMD_MASK) {
        case FUTEX_WAIT:
        case FUTEX_WAIT_BITSET:
        case FUTEX_WAIT_REQUEUE_PI:
        case FUTEX_LOCK_PI:
        case FUTEX_LOCK_PI2:
            return true;
        default:
            return false;
    }
}

}  // namespace

// A signal that the thread has taken is its own: the kernel would have given it to another one of the process.
SyscallOutcome exit(CallContext& call) {
    if (close_signals(call.thread) == kRestart) {
        return kRestart;
    }
    return {SyscallOutcome::Kind::thread_ends, call.number(0) & 0xff};
}
SyscallOutcome exit_group(CallContext& call) {
    return {SyscallOutcome::Kind::process_ends, call.number(0) & 0xff};
}

SyscallOutcome set_tid_address(CallContext& call) {
    call.thread.clear_child_tid = call.arg(0);
    return call.thread.tid;
}

SyscallOutcome uname(CallContext& call) {
    ::utsname names{};
    const int64_t failed = call.host(SYS_uname, &names);
    if (failed < 0) {
        return failed;
    }
    put_name(names.machine, "riscv64");
    if (const std::string& release = call.process.options().release; !release.empty()) {
        put_name(names.release, release);
    }
    return call.write(call.arg(0), names);
}

// Kept for the program; where things go is the host's affair too. 0xffffffff asks.
SyscallOutcome personality(CallContext& call) {
    const uint32_t wanted = call.bits(0);
    if (wanted == 0xffffffff) {
        return call.process.personality();
    }
    const uint32_t before = call.process.set_personality(wanted);
    const int64_t host = raw_syscall(SYS_personality, 0xffffffffU);
    if (host >= 0) {
        raw_syscall(SYS_personality,
                    (static_cast<uint32_t>(host) & ~static_cast<uint32_t>(ADDR_NO_RANDOMIZE)) |
                        (wanted & ADDR_NO_RANDOMIZE));
    }
    return before;
}

SyscallOutcome getrlimit(CallContext& call) {
    const unsigned resource = call.bits(0);
    if (resource >= RLIMIT_NLIMITS) {
        return -EINVAL;
    }
    return own_limit(call, resource, 0, call.arg(1) != 0 ? call.arg(1) : call.process.memory().range().limit);
}

SyscallOutcome setrlimit(CallContext& call) {
    if (!Process::keeps_limit(call.bits(0))) {
        return call.pass();
    }
    const uint64_t address = call.arg(1);
    return address != 0 ? own_limit(call, call.bits(0), address, 0) : -EFAULT;
}

SyscallOutcome prlimit64(CallContext& call) {
    const bool own = call.number(0) == 0 || call.number(0) == ::getpid();
    return own ? own_limit(call, call.bits(1), call.arg(2), call.arg(3)) : call.pass();
}

// The words are the kernel's: thread ids in them are real.
SyscallOutcome futex(CallContext& call) {
    const uint64_t fourth =
        has_timeout(call.number(1)) ? call.pointer(call.arg(3), 2 * sizeof(uint64_t)) : call.arg(3);
    return call.host(SYS_futex, call.pointer(call.arg(0), sizeof(uint32_t)), call.number(1), call.bits(2),
                     fourth, call.pointer(call.arg(4), sizeof(uint32_t)), call.bits(5));
}

// arch/riscv/kernel/sys_riscv.c: the range is not checked; the only flag confines the flush to this thread.
SyscallOutcome riscv_flush_icache(CallContext& call) {
    constexpr uint64_t kLocal = 1;  // SYS_RISCV_FLUSH_ICACHE_LOCAL
    if ((call.arg(2) & ~kLocal) != 0) {
        return -EINVAL;
    }
    if (CodeSync* code = call.process.options().code; code != nullptr) {
        code->sync(call.arg(0), call.arg(1), (call.arg(2) & kLocal) == 0);
    }
    return 0;
}

// A tracer would see weft's registers: as where a policy forbids tracing.
SyscallOutcome ptrace(CallContext& call) { return call.arg(0) == PTRACE_TRACEME ? -EPERM : -ESRCH; }

// The kernel calls it for itself; of a program's own call it makes this (do_no_restart_syscall).
SyscallOutcome restart_syscall(CallContext&) { return -EINTR; }

}  // namespace weft::user::calls
