// Which guest instruction a host address in generated code belongs to.
#pragma once

#include <cstdint>

#include "accel/tcg/blocks/translation_cache.h"
#include "tcg/code/tb.h"

namespace weft::accel {

struct CodePlace {
    int32_t pc_offset;  // of the instruction, from the state's page_pc
    uint32_t index;     // instructions of its TB before it
};

// `host_pc` lies behind the code that met the exception or called, as a return address does. `single_use`: the TB that is used
// once and was entered last, or null; it is in no tree. On the thread of the vCPU that runs the code.
CodePlace insn_at_host_pc(TranslationCache& cache, uint64_t host_pc, const tcg::TranslationBlock* single_use);

}  // namespace weft::accel
