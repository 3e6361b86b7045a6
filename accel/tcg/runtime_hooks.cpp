#include "accel/tcg/runtime_hooks.h"

#include "accel/tcg/code_cache.h"
#include "accel/tcg/find_block.h"
#include "accel/tcg/vcpu.h"
#include "base/log.h"

namespace weft::accel {

namespace {

Vcpu& vcpu_of(void* state) { return *state_header(state).vcpu; }

bool load(void* state, uint64_t address, uint32_t memop, uint64_t* value) {
    return vcpu_of(state).mmu.load(address, memop, value);
}

bool store(void* state, uint64_t address, uint32_t memop, uint64_t value) {
    return vcpu_of(state).mmu.store(address, memop, value);
}

bool atomic(void* state, ir::Opcode op, uint64_t address, uint32_t memop, uint64_t a, uint64_t b, uint64_t* old) {
    return vcpu_of(state).mmu.atomic(op, address, memop, a, b, old);
}

tcg::RxAddress lookup(void* state, uint64_t pc) {
    Vcpu& vcpu = vcpu_of(state);
    StateHeader& header = vcpu.header();
    header.pc = pc;
    // With -d exec the loop sees every TB.
    if (header.exit_request.load(std::memory_order_relaxed) != 0 || vcpu.exec_logged) {
        return {};
    }
    FetchPage page{};
    if (!vcpu.mmu.fetch(pc, vcpu.fetch_mode, &page)) {
        header.raised = 0;  // the loop meets the exception again, and delivers it
        return {};
    }
    if (page.device) {
        return {};
    }
    const tcg::TranslationBlock* tb = find_block(vcpu, pc, page);
    if (tb == nullptr) {
        return {};
    }
    vcpu.counters.lookup_table.add();
    vcpu.counters.lookup_generated.add();
    header.page_pc = pc & ~(kPageSize - 1);
    vcpu.jump_cache.put(pc, header.context_id, vcpu.cache.offset_of(*tb));
    return tb->code;
}

}  // namespace

tcg::RuntimeHooks runtime_hooks() { return {&load, &store, &atomic, &lookup}; }

}  // namespace weft::accel
