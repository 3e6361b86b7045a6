#include "accel/tcg/blocks/insn_at_host_pc.h"

#include "base/assert.h"
#include "tcg/code/insn_table.h"

namespace weft::accel {

int32_t insn_at_host_pc(TranslationCache& cache, uint64_t host_pc, const tcg::TranslationBlock* single_use,
                        uint32_t* index) {
    // The code may have gone on from the TB that is used once to others.
    const bool in_single =
        single_use != nullptr && host_pc - 1 - single_use->code.value() < single_use->code_size;
    const tcg::TranslationBlock* tb = in_single ? single_use : cache.regions().trees().find(host_pc - 1);
    WEFT_ASSERT(tb != nullptr);
    const auto row =
        tcg::find_insn(tb->insn_table_bytes(), static_cast<uint32_t>(host_pc - tb->code.value()), index);
    WEFT_ASSERT(row.has_value());
    return row->pc_offset;
}

}  // namespace weft::accel
