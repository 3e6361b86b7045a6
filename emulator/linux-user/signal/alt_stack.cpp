#include "emulator/linux-user/signal/alt_stack.h"

#include <cerrno>

#include "emulator/linux-user/riscv/frame.h"

namespace weft::user {

namespace {

constexpr uint64_t kSmallest = 2048;  // MINSIGSTKSZ of asm-generic/signal.h

}  // namespace

abi::Stack reported_alt_stack(const Thread& thread, uint64_t sp) {
    const abi::Stack& stack = thread.alternate_stack;
    uint32_t flags = static_cast<uint32_t>(stack.flags) & kSsAutodisarm;
    if (stack.size == 0) {
        flags |= kSsDisable;
    } else if (is_on_alt_stack(stack, sp)) {
        flags |= kSsOnstack;
    }
    return {.sp = stack.sp, .flags = static_cast<int32_t>(flags), .pad = 0, .size = stack.size};
}

int64_t set_alt_stack(Thread& thread, const abi::Stack& stack, uint64_t sp) {
    if (is_on_alt_stack(thread.alternate_stack, sp)) {
        return -EPERM;
    }
    const uint32_t mode = static_cast<uint32_t>(stack.flags) & ~kSsAutodisarm;
    if (mode == kSsDisable) {
        thread.alternate_stack = {.sp = 0, .flags = stack.flags, .pad = 0, .size = 0};
        return 0;
    }
    // SS_ONSTACK is what some programs give, as it is what they were told.
    if (mode != 0 && mode != kSsOnstack) {
        return -EINVAL;
    }
    // The one that is set is taken again, whatever its size.
    const abi::Stack& now = thread.alternate_stack;
    if (stack.sp == now.sp && stack.size == now.size && stack.flags == now.flags) {
        return 0;
    }
    if (stack.size < kSmallest) {
        return -ENOMEM;
    }
    thread.alternate_stack = {.sp = stack.sp, .flags = stack.flags, .pad = 0, .size = stack.size};
    return 0;
}

}  // namespace weft::user
