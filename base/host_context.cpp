#include "base/host_context.h"

#include <ucontext.h>

#include "base/assert.h"

namespace weft {

namespace {

constexpr greg_t kPageFault = 14;
constexpr greg_t kErrorStore = 1 << 1;
constexpr greg_t kErrorFetch = 1 << 4;

constexpr int kRegisters[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

WEFT_SIGNAL_SAFE greg_t& word(void* context, int index) {
    return static_cast<ucontext_t*>(context)->uc_mcontext.gregs[index];
}

// The kernel's mask is of 64 bits, at the start of the C library's longer one.
WEFT_SIGNAL_SAFE uint64_t& mask(void* context) {
    return *reinterpret_cast<uint64_t*>(&static_cast<ucontext_t*>(context)->uc_sigmask);
}

}  // namespace

WEFT_SIGNAL_SAFE uint64_t HostContext::pc() const { return static_cast<uint64_t>(word(context_, REG_RIP)); }

WEFT_SIGNAL_SAFE void HostContext::set_pc(uint64_t pc) { word(context_, REG_RIP) = static_cast<greg_t>(pc); }

WEFT_SIGNAL_SAFE uint64_t HostContext::stack_pointer() const {
    return static_cast<uint64_t>(word(context_, REG_RSP));
}

WEFT_SIGNAL_SAFE uint64_t HostContext::reg(unsigned number) const {
    WEFT_DEBUG_ASSERT(number < 16);
    return static_cast<uint64_t>(word(context_, kRegisters[number]));
}

WEFT_SIGNAL_SAFE void HostContext::set_reg(unsigned number, uint64_t value) {
    WEFT_DEBUG_ASSERT(number < 16);
    word(context_, kRegisters[number]) = static_cast<greg_t>(value);
}

WEFT_SIGNAL_SAFE uint64_t HostContext::signal_mask() const { return mask(context_); }

WEFT_SIGNAL_SAFE void HostContext::set_signal_mask(uint64_t value) { mask(context_) = value; }

WEFT_SIGNAL_SAFE HostContext::Access HostContext::access() const {
    if (!page_fault()) {
        return Access::load;
    }
    const greg_t error = word(context_, REG_ERR);
    if ((error & kErrorFetch) != 0) {
        return Access::fetch;
    }
    return (error & kErrorStore) != 0 ? Access::store : Access::load;
}

WEFT_SIGNAL_SAFE bool HostContext::page_fault() const { return word(context_, REG_TRAPNO) == kPageFault; }

}  // namespace weft
