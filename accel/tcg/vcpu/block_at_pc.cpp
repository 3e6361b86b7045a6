#include "accel/tcg/vcpu/block_at_pc.h"

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

using tcg::TbKey;
using tcg::TranslationBlock;

TbKey key_of(const FetchPage& page, uint64_t pc, uint64_t tb_flags) {
    return {page.ram_offset | (pc & (kPageSize - 1)), tcg::kNoPage, tb_flags};
}

TranslationBlock* block_at_pc(Vcpu& vcpu, uint64_t pc, const FetchPage& page) {
    TbKey key = key_of(page, pc, vcpu.tb_flags);
    BlockTable& blocks = vcpu.cache.blocks();
    const auto used = [&](TranslationBlock* tb) {
        if (tb != nullptr && !vcpu.youth.young()) {
            vcpu.cache.regions().note_use(*tb);
        }
        return tb;
    };
    if (TranslationBlock* tb = blocks.find(key)) {
        return used(tb);
    }
    if (key.page_offset() + vcpu.guest.max_insn_size <= kPageSize) {
        return nullptr;
    }
    // An instruction that reaches into the next page is a TB of its own, found by both pages. That the next page cannot
    // be fetched from matters only if the instruction does reach there, which its translation will show.
    FetchPage second{};
    if (!vcpu.memory.fetch((pc | (kPageSize - 1)) + 1, vcpu.fetch_mode, &second)) {
        vcpu.header().raised = 0;
        return nullptr;
    }
    if (second.device) {
        return nullptr;
    }
    key.page1 = second.ram_offset;
    return used(blocks.find(key));
}

void remember_block(Vcpu& vcpu, uint64_t pc, const TranslationBlock& tb) {
    if (!vcpu.youth.young() && vcpu.cache.regions().current(tb)) {
        vcpu.jump_cache.put(pc, vcpu.header().context_id, vcpu.cache.offset_of(tb));
        if (vcpu.jump_cache.crowded() && vcpu.cache.settings().grow_jump_cache) {
            vcpu.grow_jump_cache();
        }
    }
}

}  // namespace weft::accel
