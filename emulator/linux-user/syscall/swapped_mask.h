// The mask that a call waits with instead of the thread's own: ppoll, pselect6, epoll_pwait, rt_sigsuspend.
//
// The host's kernel swaps it for the time of the call. If a signal ended the call, the guest's handler begins with that mask, and the
// thread's own returns with the handler's end (sigsuspend(2), "Notes"): take_signal is told of it.
#pragma once

#include <cerrno>
#include <cstdint>
#include <optional>

#include "emulator/linux-user/syscall/call_context.h"

namespace weft::user {

class SwappedMask {
  public:
    // At guest address `address`, null for none, of `size` bytes, which the kernel judges.
    SwappedMask(CallContext& call, uint64_t address, uint64_t size);
    SwappedMask(const SwappedMask&) = delete;
    SwappedMask& operator=(const SwappedMask&) = delete;

    // What the host is given. Also SIGSEGV and SIGBUS are as the guest says: while the kernel waits, no code can fault.
    uint64_t address() const { return address_; }

    // Waits by `host`, unless one of those that wait in weft is open now: -EINTR then.
    template <class Host>
    int64_t wait(Host host) {
        const int64_t result = opens_a_sent_one() ? -EINTR : host();
        if (result == -EINTR && mask_) {
            thread_.signals.swapped = mask_;
        }
        return result;
    }

  private:
    bool opens_a_sent_one() const { return mask_ && (thread_.signals.sent() & ~*mask_) != 0; }

    Thread& thread_;
    uint64_t address_;
    std::optional<uint64_t> mask_;
};

}  // namespace weft::user
