// The guest state block of a vCPU.
//
//   | accelerator's private prefix | StateHeader | architecture's state ... |
//                                                ^ the state pointer
//
// One block, allocated and freed by the accelerator; the state pointer (handed to translators, helpers and GuestArch
// functions) is aligned to 64 bytes and points at the architecture's part. Generated code reaches the 128 bytes on either
// side of it with one-byte displacements: the architecture puts its hottest fields first.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weft {

struct Vcpu;          // the accelerator's; opaque here
struct VcpuServices;  // weft/guest.h

// The part of the prefix that both sides know. Unless said otherwise a field belongs to the thread that runs the vCPU.
struct StateHeader {
    // Guest virtual address of the page the running unit began in. Written by generated code and the execution loop.
    uint64_t page_pc;
    // Guest pc; valid outside generated code and in GuestArch functions, and in helpers that may raise only after the
    // accelerator restored it (so helpers do not read it: translators pass the pc where it is needed).
    uint64_t pc;
    // The jump cache that generated code probes. The accelerator's.
    void* jump_cache;
    // Interned (TB flags, address-space generation). The accelerator's.
    uint32_t context_id;
    // Non-zero asks generated code to return to the loop at its next exit_check. Written by any thread (sequentially
    // consistent; the asker writes its reason first), cleared by the vCPU's thread before it looks for reasons.
    std::atomic<uint32_t> exit_request;
    // Set by a helper that raised a guest exception; cleared by the accelerator.
    uint32_t raised;
    // Accumulated floating-point exceptions (ir::FpFlag). Complete outside generated code; while a unit runs the host
    // may hold more (fpflags_get merges them). Helpers add theirs here.
    uint32_t fp_flags;
    // What a helper needs to call the accelerator and to find its own object.
    Vcpu* vcpu;
    const VcpuServices* services;
    void* guest;  // VcpuConfig::guest
};
static_assert(sizeof(StateHeader) == 64 && offsetof(StateHeader, exit_request) == 28);

inline StateHeader& state_header(void* state) { return static_cast<StateHeader*>(state)[-1]; }
inline const StateHeader& state_header(const void* state) {
    return static_cast<const StateHeader*>(state)[-1];
}

}  // namespace weft
