// Waiting with another mask: poll(2), select(2), epoll_wait(2). The mask is swapped by the host's kernel.
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <vector>

#include "emulator/linux-user/riscv/abi.h"
#include "emulator/linux-user/syscall/calls.h"
#include "emulator/linux-user/syscall/swapped_mask.h"

namespace weft::user::calls {

namespace {

constexpr uint64_t kTimespec = 16;

// More are not asked of the host at once; those that are ready stay so.
constexpr int64_t kEventsAtOnce = 1024;

template <class Wait>
SyscallOutcome wait_for_events(CallContext& call, SwappedMask& mask, Wait wait) {
    // What is wrong goes to the host as such, which judges the mask first.
    const int32_t most = call.number(2);
    const bool good = most > 0 && most <= INT_MAX / static_cast<int64_t>(sizeof(abi::EpollEvent));
    std::vector<::epoll_event> events(good ? static_cast<size_t>(std::min<int64_t>(most, kEventsAtOnce)) : 0);
    const bool holds = !good || call.process.memory().range().holds(
                                    call.arg(1), static_cast<uint64_t>(most) * sizeof(abi::EpollEvent));
    const int64_t count = mask.wait([&] {
        return wait(holds ? reinterpret_cast<uint64_t>(events.data()) : kBadAddress,
                    static_cast<int>(events.size()));
    });
    for (int64_t i = 0; i < count; ++i) {
        const uint64_t at = call.arg(1) + static_cast<uint64_t>(i) * sizeof(abi::EpollEvent);
        auto guest = call.read<abi::EpollEvent>(at).value_or(abi::EpollEvent{});
        abi::to_guest(events[static_cast<size_t>(i)], guest);
        if (call.write(at, guest) < 0) {
            return i != 0 ? i : -EFAULT;
        }
    }
    return count;
}

}  // namespace

SyscallOutcome ppoll(CallContext& call) {
    SwappedMask mask(call, call.arg(3), call.arg(4));
    constexpr uint64_t kPollfd = 8;
    return mask.wait([&] {
        return call.host(SYS_ppoll, call.pointer(call.arg(0), call.bits(1) * kPollfd), call.bits(1),
                         call.pointer(call.arg(2), kTimespec), mask.address(), call.arg(4));
    });
}

SyscallOutcome pselect6(CallContext& call) {
    // Sets of the bits up to the first argument, in words.
    const uint64_t size = (static_cast<uint64_t>(std::max(call.number(0), 0)) + 63) / 64 * sizeof(uint64_t);
    const auto set = [&](unsigned index) { return call.pointer(call.arg(index), size); };
    struct {
        uint64_t mask, size;
    } last{};
    uint64_t last_address = call.pointer(call.arg(5), sizeof(last));
    if (last_address != 0 && call.read(call.arg(5), &last, sizeof(last))) {
        last_address = reinterpret_cast<uint64_t>(&last);
    }
    SwappedMask mask(call, last.mask, last.size);
    last.mask = mask.address();
    return mask.wait([&] {
        return call.host(SYS_pselect6, call.number(0), set(1), set(2), set(3),
                         call.pointer(call.arg(4), kTimespec), last_address);
    });
}

SyscallOutcome epoll_pwait(CallContext& call) {
    SwappedMask mask(call, call.arg(4), call.arg(5));
    return wait_for_events(call, mask, [&](uint64_t events, int most) {
        return call.host(SYS_epoll_pwait, call.number(0), events, most, call.number(3), mask.address(),
                         call.arg(5));
    });
}

SyscallOutcome epoll_pwait2(CallContext& call) {
    SwappedMask mask(call, call.arg(4), call.arg(5));
    return wait_for_events(call, mask, [&](uint64_t events, int most) {
        return call.host(SYS_epoll_pwait2, call.number(0), events, most, call.pointer(call.arg(3), kTimespec),
                         mask.address(), call.arg(5));
    });
}

}  // namespace weft::user::calls
