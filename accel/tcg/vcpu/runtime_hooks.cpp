#include "accel/tcg/vcpu/runtime_hooks.h"

#include "accel/tcg/blocks/insn_at_host_pc.h"
#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/block_at_pc.h"
#include "accel/tcg/vcpu/out_of_memory.h"
#include "accel/tcg/vcpu/vcpu.h"
#include "base/log.h"

namespace weft::accel {

namespace {

Vcpu& vcpu_at(void* state) { return *state_header(state).vcpu; }

bool load(void* state, uint64_t address, uint32_t memop, uint64_t* value) {
    Vcpu& vcpu = vcpu_at(state);
    return or_fail(vcpu, false, [&] { return vcpu.memory.load(address, memop, value); });
}

bool store(void* state, uint64_t address, uint32_t memop, uint64_t value) {
    Vcpu& vcpu = vcpu_at(state);
    return or_fail(vcpu, false, [&] { return vcpu.memory.store(address, memop, value); });
}

bool atomic(void* state, ir::Opcode op, uint64_t address, uint32_t memop, uint64_t a, uint64_t b,
            uint64_t* old) {
    Vcpu& vcpu = vcpu_at(state);
    return or_fail(vcpu, false, [&] { return vcpu.memory.atomic(op, address, memop, a, b, old); });
}

tcg::RxAddress find(Vcpu& vcpu, uint64_t pc) {
    StateHeader& header = vcpu.header();
    header.pc = pc;
    vcpu.exec().exit_host_pc = 0;  // for the instruction clock: what was executed so far has been counted
    // With -d exec the loop sees every TB.
    if (header.exit_request.load(std::memory_order_relaxed) != 0 || vcpu.exec_logged) {
        return {};
    }
    if (vcpu.debugged() && vcpu.debug_points->breakpoint_in_page(pc)) {
        return {};
    }
    vcpu.youth.step();
    FetchPage page{};
    if (!vcpu.memory.fetch(pc, vcpu.fetch_mode, &page)) {
        header.raised = 0;  // the loop meets the exception again, and delivers it
        return {};
    }
    if (page.device) {
        return {};
    }
    const tcg::TranslationBlock* tb = block_at_pc(vcpu, pc, page);
    if (tb == nullptr) {
        return {};
    }
    vcpu.counters.lookup_table.add();
    vcpu.counters.lookup_generated.add();
    header.page_pc = pc & ~(kPageSize - 1);
    remember_block(vcpu, pc, *tb);
    return tb->code;
}

void page_crossed(void* state) {
    Vcpu& vcpu = vcpu_at(state);
    const uint64_t host_pc = vcpu.exec().exit_host_pc;
    if (!vcpu.page_crossings.too_often(host_pc, [&] { return vcpu.clock.now_ns(); })) {
        return;
    }
    // None where it is a TB that is used once.
    const tcg::TranslationBlock* const tb = vcpu.cache.regions().trees().find(host_pc - 1);
    if (tb != nullptr) {
        or_fail(vcpu, [&] {
            vcpu.cache.ungrouped().add(tb->key.start);
            vcpu.cache.pages().retranslate(tb->key.start);
        });
        vcpu.counters.groups_disabled.add();
    }
}

void page_not_carried(void* state) {
    Vcpu& vcpu = vcpu_at(state);
    const uint64_t host_pc = vcpu.exec().exit_host_pc;
    if (!vcpu.carry_misses.too_often(host_pc, [&] { return vcpu.clock.now_ns(); })) {
        return;
    }
    // None where it is a TB that is used once: those carry nothing, and another one may have been where this was.
    if (vcpu.cache.regions().trees().find(host_pc - 1) == nullptr) {
        return;
    }
    const InsnAtHostPc insn = insn_at_host_pc(vcpu.cache, host_pc, nullptr, false);
    or_fail(vcpu, [&] {
        const uint64_t page = insn.tb->key.page0();
        vcpu.cache.uncarried().add(page, static_cast<uint32_t>(insn.pc_offset) & (kPageSize - 1));
        vcpu.cache.pages().retranslate(insn.tb->key.start);
    });
    vcpu.counters.places_uncarried.add();
}

tcg::RxAddress lookup(void* state, uint64_t pc) {
    Vcpu& vcpu = vcpu_at(state);
    return or_fail(vcpu, tcg::RxAddress{}, [&] { return find(vcpu, pc); });
}

tcg::Onward go_on(void* state, tcg::ExitKind kind) {
    Vcpu& vcpu = vcpu_at(state);
    return or_fail(vcpu, tcg::Onward{{}, tcg::ExitKind::lookup},
                   [&] { return vcpu.thread().go_on(vcpu, kind); });
}

}  // namespace

tcg::RuntimeHooks runtime_hooks(bool stay_in_code) {
    return {
        &load, &store, &atomic, &page_crossed, &page_not_carried, &lookup, stay_in_code ? &go_on : nullptr};
}

}  // namespace weft::accel
