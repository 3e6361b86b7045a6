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

// Does the access. False: a guest exception is recorded.
bool access(const RuntimeContext* context, void* state, const AccessRecord& record, uint64_t* regs) {
    const uint64_t address = regs[record.base] + static_cast<uint64_t>(int64_t{record.displacement});
    const uint32_t memop = record.memop().bits();
    if (record.kind == AccessRecord::store) {
        return context->hooks.store(state, address, memop,
                                    record.value == kZeroValue ? 0 : regs[record.value]);
    }
    uint64_t value = 0;
    if (!context->hooks.load(state, address, memop, &value)) {
        return false;
    }
    regs[record.value] = value;
    return true;
}

// What generated code would find: the entry that holds the page of `vaddr` without reserve, or null.
const TlbEntry* probe(const TlbTable& table, uint64_t vaddr, bool store) {
    const uint64_t index = (vaddr >> (kPageBits - kTlbEntryShift) & table.mask) >> kTlbEntryShift;
    const TlbEntry& entry = table.entries[index];
    return (store ? entry.write : entry.read) == tlb_tag(vaddr) ? &entry : nullptr;
}

// The addend that serves the whole window, or 0: two pages that lie side by side in the host's memory as well have one.
uint64_t window_addend(const TlbTable& table, uint64_t first, uint64_t last, bool store) {
    const TlbEntry* const low = probe(table, first, store);
    const TlbEntry* const high = tlb_tag(first) == tlb_tag(last) ? low : probe(table, last, store);
    return low != nullptr && high != nullptr && low->addend == high->addend ? low->addend : 0;
}

}  // namespace

uintptr_t slow_access(const RuntimeContext* context, void* state, const AccessRecord* record,
                      uint64_t* regs) {
    ExecState& exec = exec_state(state);
    exec.exit_host_pc = reinterpret_cast<uintptr_t>(record);
    if (exec.carried_misses < 0) [[unlikely]] {
        exec.carried_misses = kCarriedMisses;
        if (context->hooks.page_not_carried != nullptr) {
            context->hooks.page_not_carried(state);
        }
    }
    return access(context, state, *record, regs) ? resume_address(record) : fault(context, state, regs);
}

uintptr_t slow_leader(const RuntimeContext* context, void* state, const LeaderRecord* record,
                      uint64_t* regs) {
    ExecState& exec = exec_state(state);
    exec.exit_host_pc = reinterpret_cast<uintptr_t>(record);
    // A load may put its result where the base was.
    const uint64_t first = regs[record->access.base] + static_cast<uint64_t>(int64_t{record->low});
    if (!access(context, state, record->access, regs)) {
        return fault(context, state, regs);
    }
    const uint64_t last = first + record->bytes - 1;
    const uint64_t addend = window_addend(exec.tlb[record->access.mmu_mode], first, last,
                                          record->access.kind == AccessRecord::store);
    regs[record->addend] = addend;
    if (addend == 0 && tlb_tag(first) != tlb_tag(last) && context->hooks.page_crossed != nullptr) {
        context->hooks.page_crossed(state);
    }
    return resume_address(record);
}

uintptr_t slow_atomic(const RuntimeContext* context, void* state, const AtomicRecord* record,
                      uint64_t* regs) {
    exec_state(state).exit_host_pc = reinterpret_cast<uintptr_t>(record);
    uint64_t old = 0;
    if (!context->hooks.atomic(state, static_cast<ir::Opcode>(record->op), regs[record->address],
                               record->memop, regs[record->a], regs[record->b], &old)) {
        return fault(context, state, regs);
    }
    regs[record->result] = old;
    return resume_address(record);
}

}  // namespace weft::tcg::x86_64
