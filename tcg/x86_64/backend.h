// The x86-64 code generator as a backend.
#pragma once

#include <memory>
#include <optional>

#include "tcg/backend.h"
#include "tcg/x86_64/host_features.h"

namespace weft::tcg {

struct NativeOptions {
    // Off switches of optimisations, for measuring: names as in docs/performance.md.
    bool pin_registers = true;  // the guest's best-ranked registers stay in host registers across units
    bool own_probes =
        true;  // indirect jumps probe the jump cache each by itself; off, by code that all share
    bool direct_side_exits =
        true;  // a conditional branch that leaves the unit is itself the jump that is linked
    bool share_tlb_probes = true;  // accesses at displacements from one register share a probe
    bool carry_pages = true;  // accesses compare with the page that they found last before they probe the TLB
    bool loop_registers = true;   // units that are loops keep more of the guest's registers in the host's
    bool fold_loads = true;       // operands that are in the guest's state are read there by what uses them
    bool inline_fp_flags = true;  // MXCSR is read and written in the unit, not by a call
    // A helper that does not declare kHelperUsesFp runs under the guest's MXCSR. On, one that changes it, be it a sticky
    // exception by some arithmetic of its own, ends the program and is named.
    bool check_helpers = WEFT_DEBUG != 0;
    // Off, these make wrong code: for tests that have to notice it (tests/litmus).
    bool fences = true;            // the guest's fences and the order of its LRs
    bool atomic_additions = true;  // the guest's atomic additions are one operation
    // What the code may use; unset: what this host has. For tests: code for a host with less, or to be read only.
    std::optional<x86_64::HostFeatures> features;
};

// For a host that is one.
std::unique_ptr<Backend> make_x86_64_backend(const BackendConfig& config, const NativeOptions& options);

}  // namespace weft::tcg
