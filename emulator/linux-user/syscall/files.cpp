// Opening files and asking about them: openat(2), stat(2), readlink(2).
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>

#include "emulator/linux-user/riscv/abi.h"
#include "emulator/linux-user/syscall/calls.h"
#include "emulator/linux-user/syscall/paths.h"
#include "emulator/linux-user/syscall/proc_files.h"

namespace weft::user::calls {

namespace {

constexpr uint64_t kOpenHowFirst = 24;  // OPEN_HOW_SIZE_VER0

// Whether opening with these flags gives what is in the file, so that a view has to be made.
bool wants_contents(uint64_t flags) { return (flags & O_PATH) == 0; }

// `result` of a call that filled `status`, which goes to the guest in its own layout.
int64_t give_stat(CallContext& call, int64_t result, const struct ::stat& status, uint64_t address) {
    return result < 0 ? result : call.write(address, abi::to_guest(status));
}

}  // namespace

SyscallOutcome openat(CallContext& call) {
    const Name name(call, call.number(0), call.arg(1));
    if (name.view() && *name.view() != ProcView::exe && wants_contents(call.bits(2))) {
        return open_view(call.process, *name.view(), call.bits(2));
    }
    return call.host(SYS_openat, call.number(0), name.host(), call.number(2), call.bits(3));
}

SyscallOutcome openat2(CallContext& call) {
    const uint64_t size = call.arg(3);
    const auto how = size >= kOpenHowFirst ? call.read<::open_how>(call.arg(2)) : std::nullopt;
    const Name name(call, call.number(0), call.arg(1));
    // With restrictions on the way there, the host decides about them: no prefix, no views.
    const bool restricted = how && how->resolve != 0;
    if (how && !restricted && name.view() && *name.view() != ProcView::exe && wants_contents(how->flags)) {
        return open_view(call.process, *name.view(), static_cast<uint32_t>(how->flags));
    }
    return call.host(SYS_openat2, call.number(0), restricted ? call.pointer(call.arg(1), 1) : name.host(),
                     call.pointer(call.arg(2), size), size);
}

SyscallOutcome newfstatat(CallContext& call) {
    const Name name(call, call.number(0), call.arg(1));
    const bool of_link = (call.bits(3) & AT_SYMLINK_NOFOLLOW) != 0;
    struct ::stat status{};
    const int64_t result = call.host(SYS_newfstatat, call.number(0), of_link ? name.host_link() : name.host(),
                                     &status, call.number(3));
    return give_stat(call, result, status, call.arg(2));
}

SyscallOutcome fstat(CallContext& call) {
    struct ::stat status{};
    return give_stat(call, call.host(SYS_fstat, call.number(0), &status), status, call.arg(1));
}

SyscallOutcome readlinkat(CallContext& call) {
    const Name name(call, call.number(0), call.arg(1));
    const int32_t size = call.number(3);
    if (const auto program = name.program(); program && size > 0) {
        const size_t length = std::min(program->size(), static_cast<size_t>(size));
        const int64_t failed = call.write(call.arg(2), program->data(), length);
        return failed < 0 ? failed : static_cast<int64_t>(length);
    }
    return call.host(SYS_readlinkat, call.number(0), name.host_link(),
                     call.pointer(call.arg(2), static_cast<uint64_t>(std::max(size, 0))), size);
}

}  // namespace weft::user::calls
