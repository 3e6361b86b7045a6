// The memory of processes by their id, and where memory lies: addresses that the kernel is given for others to read.
//
// Another process has addresses of its own kind. One of weft's has the caller's guest base, so without a base its addresses are the
// guest's, and those of a program of the host's are right as they are.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/raw_syscall.h"
#include "emulator/linux-user/syscall/calls.h"

namespace weft::user::calls {

namespace {

using namespace arg;
using S = Struct;

// Whether an id is that of this process or of one of its threads.
bool is_own(int id) { return raw_syscall(SYS_tgkill, ::getpid(), id, 0) == 0; }

int64_t remote_vectors(CallContext& call) {
    const bool converted = call.process.memory().range().base != 0 || is_own(call.number(0));
    return converted ? call.pass_as({num, in(S::iovec, by(2)), size, in(S::iovec, by(4)), size, hex})
                     : call.pass();
}

// Of calls that begin with a range of addresses.
int64_t pass_with_place(CallContext& call) {
    std::array<uint64_t, 6> args = call.args();
    const uint64_t limit = call.process.memory().range().limit;
    // What goes on behind the guest's space, and does not wrap, ends with it: there is no more behind it.
    if (args[0] < limit && args[0] + args[1] >= args[0]) {
        args[1] = std::min(args[1], limit - args[0]);
    }
    args[0] = call.place(args[0], args[1]);
    return call.pass(args);
}

}  // namespace

SyscallOutcome process_vm_readv(CallContext& call) { return remote_vectors(call); }
SyscallOutcome process_vm_writev(CallContext& call) { return remote_vectors(call); }

// Only advice that changes no contents: new kernels take any of a process for itself, behind the back of weft's map.
SyscallOutcome process_madvise(CallContext& call) {
    constexpr int kCollapse = 25;  // MADV_COLLAPSE
    constexpr int kNoAdvice = -1;
    const int advice = call.number(3);
    const bool keeps =
        advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED || advice == kCollapse;
    std::array<uint64_t, 6> args = call.args();
    args[3] = static_cast<uint64_t>(keeps ? advice : kNoAdvice);
    return call.pass(args);
}

SyscallOutcome mbind(CallContext& call) { return pass_with_place(call); }

// The address counts with MPOL_F_ADDR alone.
SyscallOutcome get_mempolicy(CallContext& call) {
    constexpr uint64_t kOfAddress = 2;
    std::array<uint64_t, 6> args = call.args();
    if ((args[4] & kOfAddress) != 0) {
        args[3] = call.place(args[3], 1);
    }
    return call.pass(args);
}

SyscallOutcome set_mempolicy_home_node(CallContext& call) { return pass_with_place(call); }

// A signal between two parts has all of them done again, which finds the pages of the first ones where they shall be.
SyscallOutcome move_pages(CallContext& call) {
    if (call.process.memory().range().base == 0) {
        return call.pass();
    }
    constexpr uint64_t kAtOnce = 1024;  // what host_call.h copies
    constexpr std::array<Arg, 6> kKinds = {
        num, size, in(S::address, by(1)), in(S::i32, by(1)), out(S::i32, by(1)), hex};
    std::array<uint64_t, 6> args = call.args();
    uint64_t left = args[1];
    int64_t not_moved = 0;
    do {
        args[1] = std::min(left, kAtOnce);
        const int64_t result = call.pass_as(kKinds, args);
        if (result < 0) {
            return result;
        }
        not_moved += result;
        left -= args[1];
        args[2] += args[1] * sizeof(uint64_t);
        args[3] += args[3] != 0 ? args[1] * sizeof(int32_t) : 0;
        args[4] += args[1] * sizeof(int32_t);
    } while (left != 0);
    return not_moved;
}

}  // namespace weft::user::calls
