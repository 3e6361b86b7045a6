// Which guest instruction a host address in generated code belongs to.
#pragma once

#include <cstdint>

#include "accel/tcg/blocks/translation_cache.h"
#include "tcg/code/tb.h"

namespace weft::accel {

// `host_pc` lies behind the code that met the exception or called, as a return address does. `single_use`: the TB that is used
// once and was entered last, or null; it is in no tree. On the thread of the vCPU that runs the code. Gives the instruction's
// offset from the state's page_pc. `index`, if given, receives how many instructions of its TB are before it, which takes as long
// again.
int32_t insn_at_host_pc(TranslationCache& cache, uint64_t host_pc, const tcg::TranslationBlock* single_use,
                        uint32_t* index = nullptr);

}  // namespace weft::accel
