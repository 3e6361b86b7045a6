// getsockopt(2) and setsockopt(2): options whose value is not so many bytes without a pointer.
//
// Options and their structs are the same on both architectures.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "emulator/linux-user/syscall/calls.h"

namespace weft::user::calls {

namespace {

using namespace arg;
using S = Struct;

struct Option {
    int level, name;

    bool operator==(const Option&) const = default;
};

constexpr int kSolIp = 0, kSolIpv6 = 41, kSolTcp = 6, kSolSctp = 132, kSolPacket = 263, kSolRds = 276,
              kSolXdp = 283;

// The value is a struct sock_fprog: a classic BPF program by its address.
constexpr Option kPrograms[] = {
    {SOL_SOCKET, SO_ATTACH_FILTER},
    {SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF},
    {kSolPacket, 22 /* PACKET_FANOUT_DATA */},
};

// Others whose value holds addresses: with a guest base they are refused, as options that the protocol has not.
constexpr Option kWithPointers[] = {
    {kSolIp, 64 /* IPT_SO_SET_REPLACE */},
    {kSolIp, 96 /* ARPT_SO_SET_REPLACE */},
    {kSolIp, 128 /* EBT_SO_SET_ENTRIES, EBT_SO_GET_INFO */},
    {kSolIp, 129 /* EBT_SO_SET_COUNTERS, EBT_SO_GET_ENTRIES */},
    {kSolIp, 130 /* EBT_SO_GET_INIT_INFO */},
    {kSolIp, 131 /* EBT_SO_GET_INIT_ENTRIES */},
    {kSolIpv6, 64 /* IP6T_SO_SET_REPLACE */},
    {kSolTcp, 35 /* TCP_ZEROCOPY_RECEIVE */},
    {kSolSctp, 111 /* SCTP_SOCKOPT_CONNECTX3 */},
    {kSolRds, 2 /* RDS_GET_MR */},
    {kSolRds, 7 /* RDS_GET_MR_FOR_DEST */},
    {kSolXdp, 4 /* XDP_UMEM_REG */},
};

template <class List>
bool contains(const List& list, const Option& option) {
    return std::ranges::find(list, option) != std::end(list);
}

bool is_refused(CallContext& call, const Option& option) {
    return call.process.memory().range().base != 0 && contains(kWithPointers, option);
}

}  // namespace

SyscallOutcome setsockopt(CallContext& call) {
    constexpr int kFprogSize = struct_size(S::sock_fprog);
    const Option option{call.number(1), call.number(2)};
    if (is_refused(call, option)) {
        return -ENOPROTOOPT;
    }
    // Of another size it is no program, which the kernel says.
    return contains(kPrograms, option) && call.number(4) == kFprogSize
               ? call.pass_as({fd, num, num, in(S::sock_fprog), num})
               : call.pass();
}

SyscallOutcome getsockopt(CallContext& call) {
    const Option option{call.number(1), call.number(2)};
    if (is_refused(call, option)) {
        return -ENOPROTOOPT;
    }
    // The length of a filter is that of its instructions.
    return option == Option{SOL_SOCKET, SO_GET_FILTER}
               ? call.pass_as({fd, num, num, out(S::sock_filter, length_at(4)), inout(S::i32)})
               : call.pass();
}

}  // namespace weft::user::calls
