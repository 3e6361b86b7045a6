#include "emulator/guest/riscv/cpu/pmp.h"

#include <algorithm>
#include <bit>
#include <cstring>

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

bool lockdown(const State& state) { return (state.mseccfg & kSecMml) != 0; }

// "Smepmp", the truth table of mseccfg.MML: what L, R, W and X together mean to M mode, and to the others.
struct Rights {
    uint8_t machine;
    uint8_t others;
};
constexpr Rights lockdown_rights(uint8_t cfg) {
    const auto rwx = static_cast<uint8_t>(cfg & kAllProt);
    const bool locked = (cfg & kPmpLock) != 0;
    switch (rwx) {
        case kPmpWrite:  // shared: data that the others read, or code
            return locked ? Rights{kPmpExec, kPmpExec} : Rights{kPmpRead | kPmpWrite, kPmpRead};
        case kPmpWrite | kPmpExec:
            return locked ? Rights{kPmpRead | kPmpExec, kPmpExec}
                          : Rights{kPmpRead | kPmpWrite, kPmpRead | kPmpWrite};
        case kAllProt:  // shared where it is locked: data that nobody writes
            return locked ? Rights{kPmpRead, kPmpRead} : Rights{0, kAllProt};
        default:
            return locked ? Rights{rwx, 0} : Rights{0, rwx};
    }
}

// What an entry that matches lets `priv` do.
uint8_t entry_prot(const State& state, uint8_t cfg, Priv priv) {
    if (lockdown(state)) {
        const Rights rights = lockdown_rights(cfg);
        return priv == Priv::machine ? rights.machine : rights.others;
    }
    const bool binds = priv != Priv::machine || (cfg & kPmpLock) != 0;
    return binds ? static_cast<uint8_t>(cfg & kAllProt) : kAllProt;
}

// Where no entry matches: M mode passes, unless mseccfg says otherwise; others fail, since entries are implemented.
uint8_t default_prot(const State& state, Priv priv) {
    if (priv != Priv::machine || (state.mseccfg & kSecMmwp) != 0) {
        return 0;
    }
    return lockdown(state) ? kPmpRead | kPmpWrite : kAllProt;
}

// Whether a locked entry cannot be changed.
bool lock_holds(const State& state, uint8_t cfg) {
    return (cfg & kPmpLock) != 0 && (state.mseccfg & kSecRlb) == 0;
}

// "Smepmp", 4 b: with MML, a rule that lets M mode run code is not added; the write is ignored.
bool adds_machine_code(const State& state, uint8_t cfg) {
    return lockdown(state) && (state.mseccfg & kSecRlb) == 0 && (cfg & kPmpLock) != 0 &&
           (lockdown_rights(cfg).machine & kPmpExec) != 0;
}

}  // namespace

PmpResult pmp_range(const State& state, uint64_t paddr, uint64_t size, Priv priv) {
    if (!has(state, Extension::pmp)) {
        return {kAllProt, false};
    }
    const uint64_t end = paddr + size;
    // Eight entries' configurations at a time, as most are off, and each access that walks page tables comes here several times.
    constexpr unsigned kTogether = 8;
    static_assert(kPmpEntries % kTogether == 0 && kPmpOff == 0);
    for (unsigned first = 0; first < kPmpEntries; first += kTogether) {
        uint64_t modes;
        std::memcpy(&modes, &state.pmpcfg[first], sizeof(modes));
        modes &= kPmpModeMask * (~uint64_t{0} / 0xff);  // of every byte
        while (modes != 0) {
            const auto byte = static_cast<unsigned>(std::countr_zero(modes)) / 8;
            modes &= ~(uint64_t{0xff} << 8 * byte);
            const unsigned i = first + byte;
            const Range range = entry_range(state, i);
            if (range.begin >= range.end || range.end <= paddr || range.begin >= end) {
                continue;
            }
            // 3.7.1, "Priority and Matching Logic": the lowest-numbered entry that matches any byte decides, and
            // must match all bytes, "irrespective of the L, R, W, and X bits".
            if (range.begin > paddr || range.end < end) {
                return {0, true};
            }
            return {entry_prot(state, state.pmpcfg[i], priv), false};
        }
    }
    return {default_prot(state, priv), false};
}

bool pmp_write_cfg(State& state, unsigned entry, uint8_t value) {
    uint8_t& cfg = state.pmpcfg[entry];
    value &= kPmpWritable;
    if (lock_holds(state, cfg) || adds_machine_code(state, value)) {
        return false;
    }
    if ((value & (kPmpRead | kPmpWrite)) == kPmpWrite && !lockdown(state)) {
        value &= static_cast<uint8_t>(~kPmpWrite);  // R=0 W=1 is reserved: neither
    }
    const bool changed = cfg != value;
    cfg = value;
    return changed;
}

bool pmp_write_addr(State& state, unsigned entry, uint64_t value) {
    // 3.7.1, "Locking and Privilege Mode": a locked entry whose mode is TOR locks the address below it as
    // well.
    const auto locked = [&state](unsigned i) { return lock_holds(state, state.pmpcfg[i]); };
    if (locked(entry) || (entry + 1 < kPmpEntries && locked(entry + 1) &&
                          (state.pmpcfg[entry + 1] & kPmpModeMask) == kPmpTor)) {
        return false;
    }
    value &= kPmpAddrMask;
    const bool changed = state.pmpaddr[entry] != value;
    state.pmpaddr[entry] = value;
    return changed;
}

// "Smepmp", 1 to 3: MML and MMWP stay once they are set; RLB is not set while an entry is locked.
bool pmp_write_security(State& state, uint64_t value) {
    const uint64_t old = state.mseccfg;
    const bool locked = std::ranges::any_of(state.pmpcfg, [](uint8_t cfg) { return (cfg & kPmpLock) != 0; });
    if ((old & kSecRlb) == 0 && locked) {
        value &= ~kSecRlb;
    }
    state.mseccfg = value | (old & (kSecMml | kSecMmwp));
    return ((old ^ state.mseccfg) & (kSecMml | kSecMmwp)) != 0;
}

}  // namespace weft::riscv
