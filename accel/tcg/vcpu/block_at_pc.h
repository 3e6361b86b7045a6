// From a guest pc to its TB.
#pragma once

#include <cstdint>

#include "accel/tcg/mmu/guest_memory.h"
#include "tcg/code/tb.h"

namespace weft {
struct Vcpu;
}

namespace weft::accel {

// The key of the unit that begins at `pc`, in `page` of RAM, in one page.
tcg::TbKey key_of(const FetchPage& page, uint64_t pc, uint64_t tb_flags);

// The TB for `pc`, of the context that the vCPU's state is in, or null: then it has to be translated. `page` is what
// GuestMemory::fetch said of the pc, and is RAM. On the vCPU's thread.
tcg::TranslationBlock* block_at_pc(Vcpu& vcpu, uint64_t pc, const FetchPage& page);

// Puts the TB at `pc` into the vCPU's jump cache, unless its region was retired: who retires one first ends it and then asks
// the vCPUs to drop it, so that none keeps a TB of it after it dropped it. On the vCPU's thread.
void remember_block(Vcpu& vcpu, uint64_t pc, const tcg::TranslationBlock& tb);

}  // namespace weft::accel
