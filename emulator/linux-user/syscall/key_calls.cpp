// keyctl(2): what its arguments are by operation.
#include <linux/keyctl.h>

#include <cerrno>

#include "emulator/linux-user/syscall/calls.h"
#include "emulator/linux-user/syscall/operations.h"

namespace weft::user::calls {

namespace {

using namespace arg;
using S = Struct;

constexpr uint8_t kDhParams = 12, kPkeyParams = 40, kPkeyQuery = 56;

constexpr Operation kKeyctl[] = {
    {KEYCTL_GET_KEYRING_ID, {num, num, num}},
    {KEYCTL_JOIN_SESSION_KEYRING, {num, string}},
    {KEYCTL_UPDATE, {num, num, in(S::bytes, by(3)), size}},
    {KEYCTL_REVOKE, {num, num}},
    {KEYCTL_CHOWN, {num, num, num, num}},
    {KEYCTL_SETPERM, {num, num, hex}},
    {KEYCTL_DESCRIBE, {num, num, out(S::bytes, by(3)), size}},
    {KEYCTL_CLEAR, {num, num}},
    {KEYCTL_LINK, {num, num, num}},
    {KEYCTL_UNLINK, {num, num, num}},
    {KEYCTL_SEARCH, {num, num, string, string, num}},
    {KEYCTL_READ, {num, num, out(S::bytes, by(3)), size}},
    {KEYCTL_INSTANTIATE, {num, num, in(S::bytes, by(3)), size, num}},
    {KEYCTL_NEGATE, {num, num, num, num}},
    {KEYCTL_SET_REQKEY_KEYRING, {num, num}},
    {KEYCTL_SET_TIMEOUT, {num, num, num}},
    {KEYCTL_ASSUME_AUTHORITY, {num, num}},
    {KEYCTL_GET_SECURITY, {num, num, out(S::bytes, by(3)), size}},
    {KEYCTL_SESSION_TO_PARENT, {num}},
    {KEYCTL_REJECT, {num, num, num, num, num}},
    {KEYCTL_INSTANTIATE_IOV, {num, num, in(S::iovec, by(3)), size, num}},
    {KEYCTL_INVALIDATE, {num, num}},
    {KEYCTL_GET_PERSISTENT, {num, num, num}},
    {KEYCTL_DH_COMPUTE, {num, in(S::bytes, times(kDhParams)), out(S::bytes, by(3)), size, in(S::keyctl_kdf)}},
    {KEYCTL_PKEY_QUERY, {num, num, num64, string, out(S::bytes, times(kPkeyQuery))}},
    {KEYCTL_PKEY_ENCRYPT, {num, in(S::bytes, times(kPkeyParams)), string, unchecked, unchecked}},
    {KEYCTL_PKEY_DECRYPT, {num, in(S::bytes, times(kPkeyParams)), string, unchecked, unchecked}},
    {KEYCTL_PKEY_SIGN, {num, in(S::bytes, times(kPkeyParams)), string, unchecked, unchecked}},
    {KEYCTL_PKEY_VERIFY, {num, in(S::bytes, times(kPkeyParams)), string, unchecked, unchecked}},
    {KEYCTL_RESTRICT_KEYRING, {num, num, string, string}},
    {KEYCTL_MOVE, {num, num, num, num, hex}},
    {KEYCTL_CAPABILITIES, {num, out(S::bytes, by(2)), size}},
    {KEYCTL_WATCH_KEY, {num, num, fd, num}},
};

}  // namespace

SyscallOutcome keyctl(CallContext& call) {
    const Operation* operation = find_operation(kKeyctl, call.bits(0));
    return operation != nullptr ? call.pass_as(operation->args) : -EOPNOTSUPP;
}

}  // namespace weft::user::calls
