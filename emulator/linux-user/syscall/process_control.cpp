// prctl(2), kcmp(2), membarrier(2), and what a program can ask about its harts.
#include <linux/kcmp.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <vector>

#include "base/raw_syscall.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/linux-user/riscv/hwprobe.h"
#include "emulator/linux-user/syscall/calls.h"
#include "emulator/linux-user/syscall/operations.h"

namespace weft::user::calls {

namespace {

using namespace arg;
using S = Struct;

// linux/prctl.h. Headers of Linux 6.1 lack some.
constexpr int kSetMemoryMerge = 67, kGetMemoryMerge = 68, kSetIcacheFlushContext = 71;
constexpr int kTimerRestoreIds = 77, kFutexHash = 78;
constexpr int kGetAuxv = 0x41555856, kSetVma = 0x53564d41;

// Those that the host's kernel does for the guest. The others are EINVAL, as with a riscv64 kernel that was built without them:
// - of other architectures (FPEMU, FPEXC, ENDIAN, TSC, MPX, SVE, SME, PAC, DEXCR), and of extensions that weft has not (vectors,
//   shadow stacks, speculation control): x86-64 has some of them;
// - SECCOMP and SYSCALL_USER_DISPATCH would judge the host's calls; SET_MM tells of weft's memory; MDWE forbids translations.
constexpr Operation kPrctl[] = {
    {PR_SET_PDEATHSIG, {num, sig}},
    {PR_GET_PDEATHSIG, {num, out(S::i32)}},
    {PR_GET_DUMPABLE, {num}},
    {PR_SET_DUMPABLE, {num, num64}},
    {PR_GET_KEEPCAPS, {num}},
    {PR_SET_KEEPCAPS, {num, num64}},
    {PR_GET_TIMING, {num}},
    {PR_SET_TIMING, {num, num64}},
    {PR_SET_NAME, {num, string}},
    {PR_GET_NAME, {num, out(S::bytes, times(16))}},
    {PR_CAPBSET_READ, {num, num64}},
    {PR_CAPBSET_DROP, {num, num64, num64, num64, num64}},
    {PR_GET_SECUREBITS, {num}},
    {PR_SET_SECUREBITS, {num, hex}},
    {PR_SET_TIMERSLACK, {num, num64}},
    {PR_GET_TIMERSLACK, {num}},
    {PR_TASK_PERF_EVENTS_DISABLE, {num}},
    {PR_TASK_PERF_EVENTS_ENABLE, {num}},
    {PR_MCE_KILL, {num, num64, num64, num64, num64}},
    {PR_MCE_KILL_GET, {num, num64, num64, num64, num64}},
    {PR_SET_CHILD_SUBREAPER, {num, num64}},
    {PR_GET_CHILD_SUBREAPER, {num, out(S::i32)}},
    {PR_SET_NO_NEW_PRIVS, {num, num64, num64, num64, num64}},
    {PR_GET_NO_NEW_PRIVS, {num, num64, num64, num64, num64}},
    {PR_SET_THP_DISABLE, {num, num64, num64, num64, num64}},
    {PR_GET_THP_DISABLE, {num, num64, num64, num64, num64}},
    {PR_CAP_AMBIENT, {num, num64, num64, num64, num64}},
    {PR_SET_IO_FLUSHER, {num, num64, num64, num64, num64}},
    {PR_GET_IO_FLUSHER, {num, num64, num64, num64, num64}},
    {PR_SCHED_CORE, {num, num64, num64, num64, out(S::u64)}},
    {kSetMemoryMerge, {num, num64, num64, num64, num64}},
    {kGetMemoryMerge, {num, num64, num64, num64, num64}},
    {kTimerRestoreIds, {num, num64, num64, num64, num64}},
    {kFutexHash, {num, num64, num64, num64, num64}},
    {PR_SET_PTRACER, {num, num64}},
};

// arch/riscv/mm/cacheflush.c: a hint of who will use fence.i. Weft's threads keep what fence.i did wherever they run.
int64_t set_icache_flush_context(uint64_t context, uint64_t scope) {
    constexpr uint64_t kOn = 0, kOff = 1;                // PR_RISCV_CTX_SW_FENCEI_*
    constexpr uint64_t kPerProcess = 0, kPerThread = 1;  // PR_RISCV_SCOPE_*
    return (context == kOn || context == kOff) && (scope == kPerProcess || scope == kPerThread) ? 0 : -EINVAL;
}

// kernel/sys.c: as many bytes of the vector as there is room for; the result is its whole size.
int64_t auxv(CallContext& call, uint64_t address, uint64_t room) {
    const AddressRange vector = call.process.program().auxv;
    std::vector<uint8_t> bytes(vector.end - vector.start);
    if (!call.read(vector.start, bytes.data(), bytes.size()) ||
        call.write(address, bytes.data(), std::min<uint64_t>(room, bytes.size())) < 0) {
        return -EFAULT;
    }
    return static_cast<int64_t>(bytes.size());
}

// arch/riscv/kernel/process.c. Pointers of system calls are not masked: the tagged address ABI is off, as by Linux' sysctl
// abi.tagged_addr_disabled.
constexpr unsigned kPmlenShift = 24;  // linux/prctl.h, PR_PMLEN_SHIFT
constexpr uint64_t kPmlenMask = uint64_t{0x7f} << kPmlenShift;

int64_t set_tagged_address_control(CallContext& call) {
    const uint64_t control = call.arg(1);
    const uint64_t wanted = (control & kPmlenMask) >> kPmlenShift;
    constexpr uint64_t kShort = 7;
    constexpr uint64_t kLong = 16;
    if (!call.process.options().cpu->extensions.has(riscv::Extension::supm) || (control & ~kPmlenMask) != 0 ||
        wanted > kLong || call.arg(2) != 0 || call.arg(3) != 0 || call.arg(4) != 0) {
        return -EINVAL;
    }
    // The least that is as much as was asked for.
    call.thread.pointer_mask = static_cast<uint32_t>(wanted == 0 ? 0 : wanted <= kShort ? kShort : kLong);
    return 0;
}

int64_t tagged_address_control(CallContext& call) {
    if (!call.process.options().cpu->extensions.has(riscv::Extension::supm) || call.arg(1) != 0 ||
        call.arg(2) != 0 || call.arg(3) != 0 || call.arg(4) != 0) {
        return -EINVAL;
    }
    return static_cast<int64_t>(uint64_t{call.thread.pointer_mask} << kPmlenShift);
}

}  // namespace

SyscallOutcome prctl(CallContext& call) {
    switch (call.number(0)) {
        case PR_GET_TID_ADDRESS:
            return call.write(call.arg(1), call.thread.clear_child_tid);
        case kSetIcacheFlushContext:
            return set_icache_flush_context(call.arg(1), call.arg(2));
        case PR_SET_TAGGED_ADDR_CTRL:
            return set_tagged_address_control(call);
        case PR_GET_TAGGED_ADDR_CTRL:
            return tagged_address_control(call);
        case kGetAuxv:
            return call.arg(3) != 0 || call.arg(4) != 0 ? -EINVAL : auxv(call, call.arg(1), call.arg(2));
        case kSetVma: {
            std::array<uint64_t, 6> args = call.args();
            args[2] = call.place(args[2], args[3]);
            return call.pass_as({num, num64, hex, size, string}, args);
        }
        default: {
            const Operation* operation = find_operation(kPrctl, call.bits(0));
            return operation != nullptr ? call.pass_as(operation->args) : -EINVAL;
        }
    }
}

SyscallOutcome kcmp(CallContext& call) {
    constexpr uint8_t kEpollSlot = 12;  // struct kcmp_epoll_slot
    return call.number(2) == KCMP_EPOLL_TFD
               ? call.pass_as({num, num, num, hex, in(S::bytes, times(kEpollSlot))})
               : call.pass_as({num, num, num, hex, hex});
}

// The host's barriers are the guest's. Restartable sequences are not offered (rseq). What SYNC_CORE is for are threads that
// execute what others wrote: for translations that is more than a barrier.
SyscallOutcome membarrier(CallContext& call) {
    constexpr int64_t kRseq =
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;
    constexpr int kGetRegistrations = 1 << 9;  // MEMBARRIER_CMD_GET_REGISTRATIONS, of Linux 6.3
    const int command = call.number(0);
    if ((command & kRseq) != 0) {
        return -EINVAL;
    }
    const int64_t result = call.pass();
    if (result < 0) {
        return result;
    }
    if (command == MEMBARRIER_CMD_QUERY || command == kGetRegistrations) {
        return result & ~kRseq;
    }
    CodeSync* const code = call.process.options().code;
    if (command == MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE && code != nullptr) {
        code->sync(0, call.process.memory().range().limit, true);
    }
    return result;
}

// arch/riscv/kernel/sys_hwprobe.c, in its order: the flags, the set of CPUs, then pair by pair.
SyscallOutcome riscv_hwprobe(CallContext& call) {
    const uint64_t pairs = call.arg(0), count = call.arg(1), set_size = call.arg(2), set = call.arg(3);
    const uint32_t flags = call.bits(4);
    const HwprobeFacts facts{*call.process.options().cpu, call.process.memory().range().limit - 1,
                             riscv::kTimebaseHz};
    // Sets are as long as the kernel's are, which is what it says of its own.
    cpu_set_t allowed;
    const int64_t own_size = raw_syscall(SYS_sched_getaffinity, 0, sizeof(allowed), &allowed);
    std::vector<uint8_t> online(own_size > 0 ? static_cast<size_t>(own_size) : sizeof(allowed));
    const bool which = flags == kHwprobeWhichCpus;
    const bool no_set = set_size == 0 && set == 0;
    // The C library asks several times before main(), without a set: the host reads a file for the number.
    const long cpu_count = no_set ? 0 : ::sysconf(_SC_NPROCESSORS_ONLN);
    for (long cpu = 0; cpu < cpu_count; ++cpu) {
        online[static_cast<size_t>(cpu) / 8 % online.size()] |= static_cast<uint8_t>(1U << cpu % 8);
    }
    if ((!which && flags != 0) || (which && (set_size == 0 || set == 0))) {
        return -EINVAL;
    }
    std::vector<uint8_t> cpus(std::min<uint64_t>(set_size, online.size()));
    if (!no_set && !call.read(set, cpus.data(), cpus.size())) {
        return -EFAULT;
    }
    // Without pairs: what is wrong with the set, or the CPUs that are left of it.
    std::vector<uint8_t> left = cpus;
    const int failed = which ? hwprobe_which_cpus({}, left, online, flags, facts)
                             : hwprobe_values({}, no_set, cpus, online, flags, facts);
    if (failed < 0) {
        return failed;
    }
    for (uint64_t i = 0; i < count; ++i) {
        const uint64_t at = pairs + i * sizeof(abi::HwprobePair);
        auto pair = call.read<abi::HwprobePair>(at);
        if (!pair) {
            return -EFAULT;
        }
        std::vector<uint8_t> of_pair = cpus;
        which ? hwprobe_which_cpus({&*pair, 1}, of_pair, online, flags, facts)
              : hwprobe_values({&*pair, 1}, no_set, cpus, online, flags, facts);
        if (call.write(at, *pair) < 0) {
            return -EFAULT;
        }
        std::ranges::transform(left, of_pair, left.begin(), std::bit_and{});
    }
    return which ? call.write(set, left.data(), left.size()) : 0;
}

}  // namespace weft::user::calls
