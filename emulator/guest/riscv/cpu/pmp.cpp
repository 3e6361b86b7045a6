#include "emulator/guest/riscv/cpu/pmp.h"

#include <bit>

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "weft/guest.h"

namespace weft::riscv {
namespace {

constexpr uint8_t kAllProt = kProtRead | kProtWrite | kProtExec;
static_assert(kPmpRead == kProtRead && kPmpWrite == kProtWrite && kPmpExec == kProtExec);

struct Range {
    uint64_t begin;
    uint64_t end;  // empty where not above begin
};

// 3.7.1, "Address Matching".
Range entry_range(const State& state, unsigned entry) {
    const uint64_t address = state.pmpaddr[entry];
    switch (state.pmpcfg[entry] & kPmpModeMask) {
        case kPmpTor:
            return {entry == 0 ? 0 : state.pmpaddr[entry - 1] << 2, address << 2};
        case kPmpNa4:
            return {address << 2, (address << 2) + 4};
        case kPmpNapot: {
            // n trailing ones: 2^(n + 3) bytes. All 54 bits ones is more than the physical address space.
            const uint64_t size = uint64_t{8} << std::countr_one(address);
            const uint64_t begin = (address << 2) & ~(size - 1);
            return {begin, begin + size};
        }
        default:
            return {0, 0};
    }
}

}  // namespace

PmpResult pmp_range(const State& state, uint64_t paddr, uint64_t size, Priv priv) {
    const uint64_t end = paddr + size;
    for (unsigned i = 0; i < kPmpEntries; ++i) {
        const uint8_t cfg = state.pmpcfg[i];
        if ((cfg & kPmpModeMask) == kPmpOff) {
            continue;
        }
        const Range range = entry_range(state, i);
        if (range.begin >= range.end || range.end <= paddr || range.begin >= end) {
            continue;
        }
        // 3.7.1, "Priority and Matching Logic": the lowest-numbered entry that matches any byte decides, and
        // must match all bytes, "irrespective of the L, R, W, and X bits".
        if (range.begin > paddr || range.end < end) {
            return {0, true};
        }
        const bool binds = priv != Priv::machine || (cfg & kPmpLock) != 0;
        return {binds ? static_cast<uint8_t>(cfg & kAllProt) : kAllProt, false};
    }
    // No match: M mode passes; others fail, since entries are implemented.
    return {priv == Priv::machine ? kAllProt : uint8_t{0}, false};
}

bool pmp_write_cfg(State& state, unsigned entry, uint8_t value) {
    uint8_t& cfg = state.pmpcfg[entry];
    if ((cfg & kPmpLock) != 0) {
        return false;
    }
    value &= kPmpWritable;
    if ((value & (kPmpRead | kPmpWrite)) == kPmpWrite) {
        value &= static_cast<uint8_t>(~kPmpWrite);  // R=0 W=1 is reserved: neither
    }
    const bool changed = cfg != value;
    cfg = value;
    return changed;
}

bool pmp_write_addr(State& state, unsigned entry, uint64_t value) {
    // 3.7.1, "Locking and Privilege Mode": a locked entry whose mode is TOR locks the address below it as
    // well.
    const auto locked = [&state](unsigned i) { return (state.pmpcfg[i] & kPmpLock) != 0; };
    if (locked(entry) || (entry + 1 < kPmpEntries && locked(entry + 1) &&
                          (state.pmpcfg[entry + 1] & kPmpModeMask) == kPmpTor)) {
        return false;
    }
    value &= kPmpAddrMask;
    const bool changed = state.pmpaddr[entry] != value;
    state.pmpaddr[entry] = value;
    return changed;
}

}  // namespace weft::riscv
