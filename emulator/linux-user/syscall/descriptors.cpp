// Descriptors: close(2), close_range(2), dup(2), fcntl(2). Weft's own are not the guest's.
#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "emulator/linux-user/syscall/calls.h"

namespace weft::user::calls {

namespace {

std::vector<int> own_descriptors(CallContext& call) {
    OwnDescriptors* own = call.process.options().own;
    return own != nullptr ? own->list() : std::vector<int>();
}

bool is_own(CallContext& call, int fd) {
    const std::vector<int> own = own_descriptors(call);
    return std::ranges::find(own, fd) != own.end();
}

// Commands of fcntl that the kernel knows: what their argument is. Numbers are the same on both architectures.
struct FcntlCommand {
    int command;
    uint8_t pointed;  // bytes that it points to; 0: a number, or nothing
};

// F_LINUX_SPECIFIC_BASE of linux/fcntl.h, which cannot be included beside the C library's.
constexpr int kLinuxOwn = 1024;

constexpr uint8_t kFlock = 32, kOwner = 8, kOwnerUids = 8, kHint = 8;

constexpr FcntlCommand kFcntlCommands[] = {
    {F_DUPFD, 0},
    {F_GETFD, 0},
    {F_SETFD, 0},
    {F_GETFL, 0},
    {F_SETFL, 0},
    {F_GETLK, kFlock},
    {F_SETLK, kFlock},
    {F_SETLKW, kFlock},
    {F_SETOWN, 0},
    {F_GETOWN, 0},
    {F_SETSIG, 0},
    {F_GETSIG, 0},
    {F_SETOWN_EX, kOwner},
    {F_GETOWN_EX, kOwner},
    {17, kOwnerUids},  // F_GETOWNER_UIDS
    {F_OFD_GETLK, kFlock},
    {F_OFD_SETLK, kFlock},
    {F_OFD_SETLKW, kFlock},
    {F_SETLEASE, 0},
    {F_GETLEASE, 0},
    {kLinuxOwn + 3, 0},  // F_DUPFD_QUERY
    {kLinuxOwn + 4, 0},  // F_CREATED_QUERY
    {kLinuxOwn + 5, 0},  // F_CANCELLK, refused by all but one
    {F_DUPFD_CLOEXEC, 0},
    {F_NOTIFY, 0},
    {F_SETPIPE_SZ, 0},
    {F_GETPIPE_SZ, 0},
    {F_ADD_SEALS, 0},
    {F_GET_SEALS, 0},
    {F_GET_RW_HINT, kHint},
    {F_SET_RW_HINT, kHint},
    {F_GET_FILE_RW_HINT, kHint},
    {F_SET_FILE_RW_HINT, kHint},
};

}  // namespace

SyscallOutcome close(CallContext& call) {
    return is_own(call, call.number(0)) ? -EBADF : call.host(SYS_close, call.bits(0));
}

// Around weft's own, from piece to piece.
SyscallOutcome close_range(CallContext& call) {
    const uint32_t first = call.bits(0), last = call.bits(1);
    const std::vector<int> own = own_descriptors(call);
    const bool between = std::ranges::any_of(
        own, [&](int fd) { return static_cast<uint32_t>(fd) >= first && static_cast<uint32_t>(fd) <= last; });
    if (!between) {
        return call.host(SYS_close_range, first, last, call.bits(2));
    }
    uint64_t start = first;
    int64_t result = 0;
    const auto close_piece = [&](uint64_t end) {  // exclusive
        if (start < end && result >= 0) {
            result = call.host(SYS_close_range, static_cast<uint32_t>(start), static_cast<uint32_t>(end - 1),
                               call.bits(2));
        }
    };
    for (const int fd : own) {
        const auto number = static_cast<uint64_t>(fd);
        if (number >= start && number <= last) {
            close_piece(number);
            start = number + 1;
        }
    }
    close_piece(uint64_t{last} + 1);
    return result;
}

SyscallOutcome dup3(CallContext& call) {
    if (is_own(call, call.number(0))) {
        return -EBADF;
    }
    if (is_own(call, call.number(1)) && !call.process.options().own->make_way(call.number(1))) {
        return -EBUSY;
    }
    return call.host(SYS_dup3, call.bits(0), call.bits(1), call.number(2));
}

SyscallOutcome fcntl(CallContext& call) {
    const FcntlCommand* row = std::ranges::find(kFcntlCommands, call.number(1), &FcntlCommand::command);
    if (is_own(call, call.number(0))) {
        return -EBADF;
    }
    if (row == std::end(kFcntlCommands)) {
        // As of a kernel that does not know it, for its argument may be a pointer. The descriptor comes first.
        constexpr int kNoCommand = -1;
        return call.host(SYS_fcntl, call.bits(0), kNoCommand, 0);
    }
    uint64_t argument = call.arg(2);
    if (row->pointed != 0) {
        argument = call.pointer(argument, row->pointed);
    }
    return call.host(SYS_fcntl, call.bits(0), call.bits(1), argument);
}

}  // namespace weft::user::calls
