// Which guest instruction a host address in generated code belongs to.
#pragma once

#include <cstdint>

#include "accel/tcg/blocks/translation_cache.h"
#include "tcg/code/tb.h"

namespace weft::accel {

struct InsnAtHostPc {
    int32_t pc_offset = 0;                      // from the state's page_pc
    uint32_t index = 0;                         // instructions of its TB that are before it, if asked for
    const tcg::TranslationBlock* tb = nullptr;  // as long as the caller is at no quiescent point
};

// Whether `host_pc`, a return address, lies in the code of the TB that is used once and was entered last. It is in no tree. Null: no.
inline bool lies_in(uint64_t host_pc, const tcg::TranslationBlock* single_use) {
    return single_use != nullptr && host_pc - 1 - single_use->code.value() < single_use->code_size;
}

// `host_pc` lies behind the code that met the exception or called, as a return address does. The code may have gone on from the TB
// `single_use` to others. On the thread of the vCPU that runs the code. `with_index` takes as long again.
InsnAtHostPc insn_at_host_pc(TranslationCache& cache, uint64_t host_pc,
                             const tcg::TranslationBlock* single_use, bool with_index);

}  // namespace weft::accel
