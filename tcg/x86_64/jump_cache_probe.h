// The probe of the jump cache, as generated code does it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tcg/x86_64/assembler.h"

namespace weft::tcg::x86_64 {

// Goes on at the guest pc in rcx where the jump cache knows it, with page_pc set, else to `miss` (from the unit's start)
// with rcx unchanged. `buffer_start` is where the code buffer begins, from the unit's start. Clobbers rax and rdx. With
// `profile` hits are counted.
void emit_jump_cache_probe(Assembler& as, int64_t miss, int32_t buffer_start, bool profile);

// The same, but for going on: rax is where, and page_pc is set.
void emit_jump_cache_find(Assembler& as, Label& miss, int32_t buffer_start, bool profile);

// Adds one to a counter of ExecState::profile, given by its offset there. Changes flags alone.
void emit_profile_count(Assembler& as, size_t counter);

// Goes to `asked` (from the unit's start) if the vCPU is asked to return to the loop.
void emit_exit_request_test(Assembler& as, int64_t asked);

}  // namespace weft::tcg::x86_64
