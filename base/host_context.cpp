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

greg_t& word(void* context, int index) { return static_cast<ucontext_t*>(context)->uc_mcontext.gregs[index]; }

}  // namespace

uint64_t HostContext::pc() const { return static_cast<uint64_t>(word(context_, REG_RIP)); }

void HostContext::set_pc(uint64_t pc) { word(context_, REG_RIP) = static_cast<greg_t>(pc); }

uint64_t HostContext::stack_pointer() const { return static_cast<uint64_t>(word(context_, REG_RSP)); }

uint64_t HostContext::reg(unsigned number) const {
    WEFT_DEBUG_ASSERT(number < 16);
    return static_cast<uint64_t>(word(context_, kRegisters[number]));
}

void HostContext::set_reg(unsigned number, uint64_t value) {
    WEFT_DEBUG_ASSERT(number < 16);
    word(context_, kRegisters[number]) = static_cast<greg_t>(value);
}

HostContext::Access HostContext::access() const {
    if (!page_fault()) {
        return Access::load;
    }
    const greg_t error = word(context_, REG_ERR);
    if ((error & kErrorFetch) != 0) {
        return Access::fetch;
    }
    return (error & kErrorStore) != 0 ? Access::store : Access::load;
}

bool HostContext::page_fault() const { return word(context_, REG_TRAPNO) == kPageFault; }

}  // namespace weft
