#include "tcg/x86_64/jump_cache_probe.h"

#include <cstddef>

#include "tcg/exec_state.h"
#include "tcg/x86_64/host_layout.h"
#include "weft/memory.h"

namespace weft::tcg::x86_64 {
namespace {

Mem header(size_t offset) {
    return Mem(kState, static_cast<int32_t>(offset) - static_cast<int32_t>(sizeof(StateHeader)));
}

template <class Miss>
void emit_find(Assembler& as, Miss&& miss_if, int32_t buffer_start, bool profile) {
    // The entry of pc, as jump_cache_index() has it.
    static_assert(sizeof(JumpCacheEntry) == 16);
    as.lea(Width::d32, Gpr::rax, Mem::scaled(Gpr::rcx, 8));
    as.xor_(Width::d32, Gpr::rax, Mem(kState, exec_offset(offsetof(ExecState, jump_cache_salt))));
    as.and_(Width::d32, Gpr::rax, Mem(kState, exec_offset(offsetof(ExecState, jump_cache_mask))));
    as.add(Width::q64, Gpr::rax, header(offsetof(StateHeader, jump_cache)));
    as.cmp(Width::q64, Mem(Gpr::rax, offsetof(JumpCacheEntry, pc)), Gpr::rcx);
    miss_if(Cond::ne);
    as.mov(Width::d32, Gpr::rdx, Mem(Gpr::rax, offsetof(JumpCacheEntry, context_id)));
    as.cmp(Width::d32, Gpr::rdx, header(offsetof(StateHeader, context_id)));
    miss_if(Cond::ne);
    as.mov(Width::d32, Gpr::rdx, Mem(Gpr::rax, offsetof(JumpCacheEntry, code_offset)));
    as.and_(Width::q64, Gpr::rcx, -static_cast<int64_t>(kPageSize));
    as.lea(Width::q64, Gpr::rax, Mem::rip_unit(buffer_start));
    as.mov(Width::q64, header(offsetof(StateHeader, page_pc)), Gpr::rcx);
    if (profile) {
        emit_profile_count(as, offsetof(ProfileState, probe_hits));
    }
    as.add(Width::q64, Gpr::rax, Gpr::rdx);
}

}  // namespace

void emit_exit_request_test(Assembler& as, int64_t asked) {
    as.cmp(Width::d32, header(offsetof(StateHeader, exit_request)), 0);
    as.jcc_rel32(Cond::ne, asked);
}

void emit_profile_count(Assembler& as, size_t counter) {
    // Its vCPU's alone: no need for a locked instruction.
    as.add(Width::q64, Mem(kState, exec_offset(offsetof(ExecState, profile) + counter)), 1);
}

void emit_jump_cache_probe(Assembler& as, int64_t miss, int32_t buffer_start, bool profile) {
    emit_find(as, [&](Cond cond) { as.jcc_rel32(cond, miss); }, buffer_start, profile);
    as.jmp(Gpr::rax);
}

void emit_jump_cache_find(Assembler& as, Label& miss, int32_t buffer_start, bool profile) {
    emit_find(as, [&](Cond cond) { as.jcc(cond, miss); }, buffer_start, profile);
}

}  // namespace weft::tcg::x86_64
