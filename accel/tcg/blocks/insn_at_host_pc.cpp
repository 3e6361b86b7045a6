#include "accel/tcg/blocks/insn_at_host_pc.h"

#include "base/assert.h"
#include "tcg/code/insn_table.h"

namespace weft::accel {

InsnAtHostPc insn_at_host_pc(TranslationCache& cache, uint64_t host_pc,
                             const tcg::TranslationBlock* single_use, bool with_index) {
    InsnAtHostPc found;
    found.tb = lies_in(host_pc, single_use) ? single_use : cache.regions().trees().find(host_pc - 1);
    WEFT_ASSERT(found.tb != nullptr);
    const auto row =
        tcg::find_insn(found.tb->insn_table_bytes(), static_cast<uint32_t>(host_pc - found.tb->code.value()),
                       with_index ? &found.index : nullptr);
    WEFT_ASSERT(row.has_value());
    found.pc_offset = row->pc_offset;
    return found;
}

}  // namespace weft::accel
