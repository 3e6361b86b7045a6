// Address translation: GuestArch::walk and what belongs to it.
//
// Sv39, Sv48, Sv57 and Bare, privileged specification 4.3 to 4.6, with physical memory protection (3.7) on
// page-table entries and on the access itself. The accessed and dirty bits are updated by hardware,
// atomically, as 4.3.1 describes in its second scheme, unless the model's extensions and menvcfg.ADUE leave
// that to software.
#pragma once

#include <cstdint>
#include <optional>

#include "emulator/guest/riscv/cpu/state.h"
#include "emulator/guest/riscv/cpu/tb_flags.h"
#include "weft/guest.h"

namespace weft::riscv {

// GuestArch::walk.
bool walk(void* state, const WalkRequest* request, WalkResult* result);

// Where the mode of `request` has the address, whatever may be done there: neither the leaf's permissions nor PMP are asked, and nothing
// is marked or raised. Nothing: it is mapped nowhere. While the vCPU is stopped or on its thread.
std::optional<uint64_t> walk_for_debugger(State& state, const WalkRequest& request);

// GuestArch::unaligned_access and bus_error.
void unaligned_access(void* state, uint64_t vaddr, Access access);
void bus_error(void* state, uint64_t vaddr, Access access);

// GuestArch::address_space.
AddressSpaceKey address_space(const void* state);

// GuestArch::tb_flags and what is read from them.
uint64_t tb_flags(const void* state);
uint8_t fetch_mmu_mode(uint64_t flags);
ir::Rounding fp_rounding(uint64_t flags);

}  // namespace weft::riscv
