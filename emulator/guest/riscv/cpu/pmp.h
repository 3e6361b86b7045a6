// Physical memory protection, privileged specification 3.7 and "Smepmp": 16 entries, granularity of 4 bytes.
#pragma once

#include <cstdint>

#include "emulator/guest/riscv/cpu/state.h"

namespace weft::riscv {

struct PmpResult {
    uint8_t prot;  // PageProt bits that hold for the whole range; none where `partial`
    bool partial;  // the entry that decides matches some bytes of the range only
};

// What `priv` may do with the physical bytes [paddr, paddr + size). A single access that is `partial` fails;
// of a larger range that is `partial` nothing is said as a whole. `size` is at least 1; the range ends below
// 2^57.
PmpResult pmp_range(const State& state, uint64_t paddr, uint64_t size, Priv priv);

// Whether `priv` may do all of `need` (PageProt bits) in one access.
inline bool pmp_allows(const State& state, uint64_t paddr, uint64_t size, Priv priv, uint8_t need) {
    return (pmp_range(state, paddr, size, priv).prot & need) == need;
}

// The registers as CSR writes see them. True where something changed that translations may depend on.
bool pmp_write_cfg(State& state, unsigned entry, uint8_t value);
bool pmp_write_addr(State& state, unsigned entry, uint64_t value);
bool pmp_write_security(State& state, uint64_t value);  // mseccfg

}  // namespace weft::riscv
