// setxattrat and getxattrat: the value is named by a struct, which later kernels may make longer.
#include <algorithm>
#include <cerrno>
#include <vector>

#include "emulator/linux-user/syscall/calls.h"

namespace weft::user::calls {

namespace {

using namespace arg;
using S = Struct;

// lib/usercopy.c, copy_struct_from_user: what is longer than the struct that is known has to be zeros.
int64_t with_value(CallContext& call) {
    constexpr uint64_t kKnown = struct_size(S::xattr_args);
    std::array<uint64_t, 6> args = call.args();
    if (args[5] > kKnown && args[5] <= kGuestPage) {
        std::vector<uint8_t> rest(args[5] - kKnown);
        if (!call.read(args[4] + kKnown, rest.data(), rest.size())) {
            return -EFAULT;
        }
        if (std::ranges::any_of(rest, [](uint8_t byte) { return byte != 0; })) {
            return -E2BIG;
        }
        args[5] = kKnown;
    }
    return call.pass_as({dirfd, path, flags(FlagSet::at), string, in(S::xattr_args), size}, args);
}

}  // namespace

SyscallOutcome setxattrat(CallContext& call) { return with_value(call); }
SyscallOutcome getxattrat(CallContext& call) { return with_value(call); }

}  // namespace weft::user::calls
