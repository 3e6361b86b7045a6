#include "tcg/x86_64/slow_path.h"

#include "tcg/exec_state.h"

namespace weft::tcg::x86_64 {
namespace {

uintptr_t fault(const RuntimeContext* context, void* state, const uint64_t* regs) {
    for (unsigned i = 0; i < context->pinned_count; ++i) {
        const PinnedGlobal& pinned = context->pinned[i];
        *reinterpret_cast<uint64_t*>(static_cast<uint8_t*>(state) + pinned.home) = regs[pinned.reg];
    }
    return 0;
}

}  // namespace

uintptr_t slow_access(const RuntimeContext* context, void* state, const AccessRecord* record, uint64_t* regs) {
    exec_state(state).exit_host_pc = reinterpret_cast<uintptr_t>(record);
    const uint64_t address = regs[record->address];
    const uint32_t memop = record->memop().bits();
    if (record->store != 0) {
        const uint64_t value = record->value == kZeroValue ? 0 : regs[record->value];
        if (!context->hooks.store(state, address, memop, value)) {
            return fault(context, state, regs);
        }
    } else {
        uint64_t value = 0;
        if (!context->hooks.load(state, address, memop, &value)) {
            return fault(context, state, regs);
        }
        regs[record->value] = value;
    }
    return resume_address(record);
}

uintptr_t slow_atomic(const RuntimeContext* context, void* state, const AtomicRecord* record, uint64_t* regs) {
    exec_state(state).exit_host_pc = reinterpret_cast<uintptr_t>(record);
    uint64_t old = 0;
    if (!context->hooks.atomic(state, static_cast<ir::Opcode>(record->op), regs[record->address], record->memop,
                               regs[record->a], regs[record->b], &old)) {
        return fault(context, state, regs);
    }
    regs[record->result] = old;
    return resume_address(record);
}

}  // namespace weft::tcg::x86_64
