#include "accel/tcg/blocks/insn_at_host_pc.h"

#include "base/assert.h"
#include "tcg/code/insn_table.h"

namespace weft::accel {

CodePlace insn_at_host_pc(TranslationCache& cache, uint64_t host_pc,
                          const tcg::TranslationBlock* single_use) {
    // The code may have gone on from the TB that is used once to others.
    const bool in_single =
        single_use != nullptr && host_pc - 1 - single_use->code.value() < single_use->code_size;
    const tcg::TranslationBlock* tb = in_single ? single_use : cache.regions().trees().find(host_pc - 1);
    WEFT_ASSERT(tb != nullptr);
    CodePlace place{};
    const auto row = tcg::find_insn(tb->insn_table_bytes(), static_cast<uint32_t>(host_pc - tb->code.value()),
                                    &place.index);
    WEFT_ASSERT(row.has_value());
    place.pc_offset = row->pc_offset;
    return place;
}

}  // namespace weft::accel
