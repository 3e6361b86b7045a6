#include "accel/tcg/run/find_block.h"

#include "accel/tcg/vcpu/block_at_pc.h"
#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

using tcg::TranslationBlock;

Found BlockFinder::find(Vcpu& vcpu, const UnlinkedJump& unlinked, bool may_interpret, Target* target) {
    const uint64_t pc = vcpu.header().pc;
    const bool young = vcpu.youth.step();
    if (!vcpu.exec_logged && (unlinked.source == nullptr || young)) {
        const uint32_t offset = vcpu.jump_cache.lookup_code(pc, vcpu.header().context_id);
        if (offset != JumpCache::kNone) {
            vcpu.counters.lookup_jump_cache.add();
            target->code = cache_.code_at(offset);
            return Found::code;
        }
    }
    Translated block;
    const Found found = find_or_translate(vcpu, may_interpret, young && may_interpret, target, &block);
    if (found != Found::code) {
        return found;
    }
    TranslationBlock& tb = *block.tb;
    target->code = tb.code;
    if (block.single_use() != nullptr) {
        target->once = block;
        return Found::code;
    }
    // With -d exec not remembered, so that the next entry is logged as well.
    if (young || vcpu.exec_logged) {
        return Found::code;
    }
    remember_block(vcpu, pc, tb);
    if (unlinked.source != nullptr && BlockTable::may_link(*unlinked.source, unlinked.slot, tb) &&
        cache_.blocks().link(*unlinked.source, unlinked.slot, tb)) {
        vcpu.counters.links.add();
    }
    return Found::code;
}

Found BlockFinder::find_to_fit(Vcpu& vcpu, Target* target) {
    const auto left = static_cast<uint32_t>(clock_->left());
    Translated block;
    if (const Found found = find_or_translate(vcpu, false, false, target, &block); found != Found::code) {
        return found;
    }
    if (block.tb->insn_count > left) {
        // One that is used once, of one instruction, fits.
        if (const Found found = translate(vcpu, target->page, left, &block); found != Found::code) {
            return found;
        }
    }
    target->code = block.tb->code;
    target->return_after = true;
    target->once = block.single_use() != nullptr ? block : Translated{};
    return Found::code;
}

Found BlockFinder::find_one_insn(Vcpu& vcpu, Target* target) {
    if (!vcpu.memory.fetch(vcpu.header().pc, vcpu.fetch_mode, &target->page)) {
        return Found::fault;
    }
    const Found found = translate(vcpu, target->page, 1, &target->once);
    if (found == Found::code) {
        target->code = target->once.tb->code;
        target->alone = true;
        target->return_after = clock_ != nullptr;
    }
    return found;
}

// The TB for the vCPU's pc, and the page the pc is in.
Found BlockFinder::find_or_translate(Vcpu& vcpu, bool may_interpret, bool young, Target* target,
                                     Translated* found) {
    const uint64_t pc = vcpu.header().pc;
    FetchPage& page = target->page;
    if (!vcpu.memory.fetch(pc, vcpu.fetch_mode, &page)) {
        return Found::fault;
    }
    if (!page.device) {
        // What a vCPU meets for one of the first times the table has only if another one has made it, or it was forked.
        const bool alone = cache_.users().alone() && !young;
        target->visit = alone && may_interpret ? vcpu.visits.meet(pc) : Visit::hot;
        if (target->visit == Visit::cold) {
            return Found::rare;
        }
        found->tb = block_at_pc(vcpu, pc, page);
        if (found->tb != nullptr) {
            vcpu.counters.lookup_table.add();
            return Found::code;
        }
        if (!alone && may_interpret) {
            target->visit = young ? Visit::cold : vcpu.visits.meet(pc);
        }
        if (target->visit != Visit::hot) {
            return Found::rare;
        }
    }
    vcpu.counters.lookup_miss.add();
    return translate(vcpu, page, 0, found);
}

Found BlockFinder::translate(Vcpu& vcpu, const FetchPage& page, uint32_t insns, Translated* translated) {
    switch (translate_at(translators_, vcpu, page, insns, translated, &full_at_)) {
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
