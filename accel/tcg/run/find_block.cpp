#include "accel/tcg/run/find_block.h"

#include "accel/tcg/vcpu/block_at_pc.h"
#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

using tcg::TranslationBlock;

namespace {

bool single_use(const TranslationBlock& tb) {
    return (tb.state.load(std::memory_order_relaxed) & tcg::kTbUnhashed) != 0;
}

}  // namespace

Found BlockFinder::find(Vcpu& vcpu, const UnlinkedJump& unlinked, bool may_interpret, Target* target) {
    const uint64_t pc = vcpu.header().pc;
    if (!vcpu.exec_logged && unlinked.source == nullptr) {
        const uint32_t offset = vcpu.jump_cache.lookup_code(pc, vcpu.header().context_id);
        if (offset != JumpCache::kNone) {
            vcpu.counters.lookup_jump_cache.add();
            target->code = cache_.code_at(offset);
            return Found::code;
        }
    }
    TranslationBlock* tb = nullptr;
    const Found found = find_or_translate(vcpu, may_interpret, &target->page, &tb);
    if (found != Found::code) {
        return found;
    }
    target->code = tb->code;
    if (single_use(*tb)) {
        target->single_use = tb;
        return Found::code;
    }
    if (vcpu.exec_logged) {
        return Found::code;  // not remembered, so that the next entry is logged as well
    }
    remember_block(vcpu, pc, *tb);
    if (unlinked.source != nullptr && BlockTable::may_link(*unlinked.source, unlinked.slot, *tb) &&
        cache_.blocks().link(*unlinked.source, unlinked.slot, *tb)) {
        vcpu.counters.links.add();
    }
    return Found::code;
}

Found BlockFinder::find_to_fit(Vcpu& vcpu, Target* target) {
    const auto left = static_cast<uint32_t>(clock_->left());
    TranslationBlock* tb = nullptr;
    if (const Found found = find_or_translate(vcpu, false, &target->page, &tb); found != Found::code) {
        return found;
    }
    if (tb->insn_count > left) {
        if (const Found found = translate(vcpu, target->page, left, &tb); found != Found::code) {
            return found;
        }
    }
    target->code = tb->code;
    target->return_after = true;
    target->single_use = single_use(*tb) ? tb : nullptr;
    return Found::code;
}

// The TB for the vCPU's pc, and the page the pc is in.
Found BlockFinder::find_or_translate(Vcpu& vcpu, bool may_interpret, FetchPage* page, TranslationBlock** tb) {
    const uint64_t pc = vcpu.header().pc;
    if (!vcpu.memory.fetch(pc, vcpu.fetch_mode, page)) {
        return Found::fault;
    }
    if (!page->device) {
        // Before the table is searched: it seldom has what this vCPU meets for one of the first times.
        if (may_interpret && vcpu.visits.cold(pc)) {
            return Found::rare;
        }
        *tb = block_at_pc(vcpu, pc, *page);
        if (*tb != nullptr) {
            vcpu.counters.lookup_table.add();
            return Found::code;
        }
    }
    vcpu.counters.lookup_miss.add();
    return translate(vcpu, *page, 0, tb);
}

Found BlockFinder::translate(Vcpu& vcpu, const FetchPage& page, uint32_t insns, TranslationBlock** tb) {
    switch (translate_at(translator_, vcpu, page, insns, tb)) {
        case TranslateOutcome::ok:
            return Found::code;
        case TranslateOutcome::fault:
            return Found::fault;
        case TranslateOutcome::full:
            return Found::full;
        case TranslateOutcome::failed:
            return Found::failed;
    }
    return Found::failed;
}

}  // namespace weft::accel
