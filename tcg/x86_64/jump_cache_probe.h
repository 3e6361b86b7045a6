// The probe of the jump cache, as generated code does it.
#pragma once

#include <cstdint>

#include "tcg/x86_64/assembler.h"

namespace weft::tcg::x86_64 {

// Goes on at the guest pc in rcx where the jump cache knows it, with page_pc set, else to `miss` (from the unit's start)
// with rcx unchanged. `buffer_start` is where the code buffer begins, from the unit's start. Clobbers rax and rdx.
void emit_jump_cache_probe(Assembler& as, int64_t miss, int32_t buffer_start);

// Goes to `asked` (from the unit's start) if the vCPU is asked to return to the loop.
void emit_exit_request_test(Assembler& as, int64_t asked);

}  // namespace weft::tcg::x86_64
