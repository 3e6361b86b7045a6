#include "emulator/guest/riscv/cpu/mmu.h"

#include <optional>

#include "emulator/guest/riscv/cpu/csr_bits.h"
#include "emulator/guest/riscv/cpu/exception.h"
#include "emulator/guest/riscv/cpu/pmp.h"

namespace weft::riscv {
namespace {

// Page-table entries, privileged specification 4.3.1 and 4.4.1.
constexpr uint64_t kPteValid = 1u << 0;
constexpr uint64_t kPteRead = 1u << 1;
constexpr uint64_t kPteWrite = 1u << 2;
constexpr uint64_t kPteExec = 1u << 3;
constexpr uint64_t kPteUser = 1u << 4;
constexpr uint64_t kPteGlobal = 1u << 5;
constexpr uint64_t kPteAccessed = 1u << 6;
constexpr uint64_t kPteDirty = 1u << 7;
constexpr unsigned kPtePpnShift = 10;
constexpr uint64_t kPteFrame = ((uint64_t{1} << 54) - 1) & ~((uint64_t{1} << kPtePpnShift) - 1);
// Svnapot: the page is one of 16 that one entry maps (unprivileged names, privileged specification "Svnapot").
constexpr uint64_t kPteNapot = uint64_t{1} << 63;
constexpr uint64_t kNapotPages = 16;
// Svpbmt: the memory type, which is a matter of caches; 3 is reserved.
constexpr uint64_t kPteMemoryType = uint64_t{3} << 61;
// Bits 60 to 54 are nobody's.
constexpr uint64_t kPteReserved = ((uint64_t{1} << 61) - 1) & ~((uint64_t{1} << 54) - 1);
// Reserved in an entry that points to the next level.
constexpr uint64_t kPteLeafOnly = kPteUser | kPteAccessed | kPteDirty | kPteNapot | kPteMemoryType;
constexpr unsigned kLevelBits = 9;

enum class Fault : uint8_t { none, page, access };

struct Leaf {
    uint64_t pte;
    unsigned shift;  // log2 of the mapping's size
    bool global;
};

constexpr uint8_t needed(Access access) {
    return access == Access::load ? kProtRead : access == Access::store ? kProtWrite : kProtExec;
}

constexpr Priv mode_priv(MmuMode mode) {
    return mode == MmuMode::user ? Priv::user : mode == MmuMode::machine ? Priv::machine : Priv::supervisor;
}

// What a leaf entry lets `mode` do, the dirty bit aside (4.3.2 step 6 and 4.4.1).
uint8_t leaf_prot(const State& state, uint64_t pte, MmuMode mode) {
    const bool user_page = (pte & kPteUser) != 0;
    uint8_t prot = (pte & kPteWrite) != 0 ? kProtWrite : 0;
    if ((pte & kPteRead) != 0 || ((pte & kPteExec) != 0 && (state.mstatus & kStatusMxr) != 0)) {
        prot |= kProtRead;
    }
    if ((pte & kPteExec) != 0) {
        prot |= kProtExec;
    }
    if (mode == MmuMode::user) {
        return user_page ? prot : 0;
    }
    if (!user_page) {
        return prot;
    }
    // Supervisors never execute user pages; they read and write them with SUM.
    return mode == MmuMode::supervisor_sum ? prot & ~kProtExec : 0;
}

// The bits that are reserved in any entry.
uint64_t reserved_bits(const State& state) {
    const bool types = has(state, Extension::svpbmt) && (state.menvcfg & kEnvcfgPbmte) != 0;
    return kPteReserved | (has(state, Extension::svnapot) ? 0 : kPteNapot) | (types ? 0 : kPteMemoryType);
}

// Whether hardware sets A and D; else an access that would is a page fault (Svade). Without either extension it does.
bool marks_pages(const State& state) {
    return has(state, Extension::svadu) ? (state.menvcfg & kEnvcfgAdue) != 0 : !has(state, Extension::svade);
}

// log2 of what a leaf entry maps; nothing for one that is reserved.
std::optional<unsigned> leaf_shift(uint64_t pte, unsigned level) {
    if ((pte & kPteNapot) == 0) {
        return kPageBits + kLevelBits * level;
    }
    // 64 KiB, in pages of 4 KiB alone: the low bits of the page number say so.
    const bool known = level == 0 && (pte >> kPtePpnShift) % kNapotPages == kNapotPages / 2;
    return known ? std::optional(kPageBits + 4) : std::nullopt;
}

// 4.4 to 4.6; of a mode that translates.
constexpr unsigned levels_of(SatpMode mode) {
    return mode == SatpMode::sv57 ? 5 : mode == SatpMode::sv48 ? 4 : 3;
}

class Walker {
  public:
    // `checked`: permissions are asked; else a debugger looks.
    Walker(State& state, const WalkRequest& request, bool checked = true)
        : state_(state), header_(state_header(&state)), request_(request), checked_(checked) {}

    // Finds the leaf entry that maps the request's address and, unless this is a probe, marks it accessed and
    // dirty.
    Fault find(Leaf* leaf);

  private:
    Fault load_pte(uint64_t address, uint64_t* pte);
    // Sets `bits` in the entry; *done is false where the entry changed meanwhile.
    Fault mark(uint64_t address, uint64_t pte, uint64_t bits, bool* done);

    State& state_;
    StateHeader& header_;
    const WalkRequest& request_;
    const bool checked_;
};

// The walker's own accesses are checked as S-mode accesses (3.7.2).
Fault Walker::load_pte(uint64_t address, uint64_t* pte) {
    if ((checked_ && !pmp_allows(state_, address, sizeof(*pte), Priv::supervisor, kProtRead)) ||
        header_.services->phys_load(header_.vcpu, address, sizeof(*pte), pte) != MemoryStatus::ok) {
        return Fault::access;
    }
    return Fault::none;
}

Fault Walker::mark(uint64_t address, uint64_t pte, uint64_t bits, bool* done) {
    if (!pmp_allows(state_, address, sizeof(pte), Priv::supervisor, kProtRead | kProtWrite) ||
        header_.services->phys_cmpxchg(header_.vcpu, address, pte, pte | bits, done) != MemoryStatus::ok) {
        return Fault::access;
    }
    return Fault::none;
}

// 4.3.2, "Virtual Address Translation Process".
Fault Walker::find(Leaf* leaf) {
    const unsigned levels = levels_of(satp_mode(state_.satp));
    const uint64_t vaddr = request_.vaddr;
    const unsigned unused_bits = 64 - (kPageBits + kLevelBits * levels);
    if (static_cast<uint64_t>(static_cast<int64_t>(vaddr << unused_bits) >> unused_bits) != vaddr) {
        return Fault::page;  // 4.4.1: the bits above are copies of the highest one that is translated
    }
    const auto mode = static_cast<MmuMode>(request_.mmu_mode);
    uint64_t table = (state_.satp & kSatpPpn) << kPageBits;
    const uint64_t reserved = reserved_bits(state_);
    bool global = false;
    for (unsigned level = levels; level-- > 0;) {
        const uint64_t index = vaddr >> (kPageBits + kLevelBits * level) & ((1u << kLevelBits) - 1);
        const uint64_t address = table + index * sizeof(uint64_t);
        for (;;) {
            uint64_t pte = 0;
            if (const Fault fault = load_pte(address, &pte); fault != Fault::none) {
                return fault;
            }
            if ((pte & kPteValid) == 0 || (pte & (kPteRead | kPteWrite)) == kPteWrite ||
                (pte & reserved) != 0 || (pte & kPteMemoryType) == kPteMemoryType) {
                return Fault::page;
            }
            const uint64_t frame = (pte & kPteFrame) >> kPtePpnShift << kPageBits;
            if ((pte & (kPteRead | kPteExec)) == 0) {
                if ((pte & kPteLeafOnly) != 0) {
                    return Fault::page;
                }
                global = global || (pte & kPteGlobal) != 0;
                table = frame;
                break;
            }
            const uint64_t superpage_mask = (uint64_t{1} << (kPageBits + kLevelBits * level)) - 1;
            const std::optional<unsigned> shift = leaf_shift(pte, level);
            if ((checked_ && (leaf_prot(state_, pte, mode) & needed(request_.access)) == 0) ||
                (frame & superpage_mask) != 0 || !shift) {
                return Fault::page;
            }
            const uint64_t wanted =
                request_.access == Access::store ? kPteAccessed | kPteDirty : kPteAccessed;
            if ((pte & wanted) != wanted && !request_.probe) {
                if (!marks_pages(state_)) {
                    return Fault::page;
                }
                bool done = false;
                if (const Fault fault = mark(address, pte, wanted, &done); fault != Fault::none) {
                    return fault;
                }
                if (!done) {
                    continue;  // another hart or the guest wrote the entry: look at it again, from step 2
                }
            }
            *leaf = {pte | wanted, *shift, global || (pte & kPteGlobal) != 0};
            return Fault::none;
        }
    }
    return Fault::page;
}

// Puts physical memory protection on top of `result`, which holds what the translation allows.
Fault protect(const State& state, const WalkRequest& request, WalkResult* result) {
    const Priv priv = mode_priv(static_cast<MmuMode>(request.mmu_mode));
    PmpResult pmp = pmp_range(state, result->paddr & ~(kPageSize - 1), kPageSize, priv);
    result->once = pmp.partial;
    if (pmp.partial) {
        pmp = pmp_range(state, result->paddr, request.size, priv);
    }
    result->prot &= pmp.prot;
    return (pmp.prot & needed(request.access)) != 0 ? Fault::none : Fault::access;
}

bool is_physical(const State& state, const WalkRequest& request) {
    return static_cast<MmuMode>(request.mmu_mode) == MmuMode::machine ||
           satp_mode(state.satp) == SatpMode::bare;
}

uint64_t physical_address(const Leaf& leaf, uint64_t vaddr) {
    const uint64_t offset_mask = (uint64_t{1} << leaf.shift) - 1;
    const uint64_t frame = (leaf.pte & kPteFrame) >> kPtePpnShift << kPageBits;
    return (frame & ~offset_mask) | (vaddr & offset_mask);
}

Fault translate_address(State& state, const WalkRequest& request, WalkResult* result) {
    const auto mode = static_cast<MmuMode>(request.mmu_mode);
    if (is_physical(state, request)) {
        if (request.vaddr >> kPhysicalBits != 0) {
            return Fault::access;
        }
        *result = {request.vaddr, kProtRead | kProtWrite | kProtExec, kPageBits, false, false};
        return protect(state, request, result);
    }
    Leaf leaf{};
    if (const Fault fault = Walker(state, request).find(&leaf); fault != Fault::none) {
        return fault;
    }
    uint8_t prot = leaf_prot(state, leaf.pte, mode);
    if ((leaf.pte & kPteDirty) == 0) {
        prot &= static_cast<uint8_t>(~kProtWrite);  // the first store walks again and sets the bit
    }
    *result = {physical_address(leaf, request.vaddr), prot, static_cast<uint8_t>(leaf.shift), leaf.global,
               false};
    return protect(state, request, result);
}

// "Pointer masking": of accesses made as in mode `priv`. With MXR there is none below M mode, where pages have no permissions either.
PointerMask pointer_mask(const State& state, Priv priv) {
    if (((state.mseccfg | state.menvcfg | state.senvcfg) & kPmm) == 0) {
        return {};
    }
    const bool is_below = priv != Priv::machine;
    const bool by_supervisor = priv == Priv::user && (state.in_process || has(state, Extension::s));
    const uint64_t field = by_supervisor ? state.senvcfg : is_below ? state.menvcfg : state.mseccfg;
    const uint64_t pmm = (field & kPmm) >> kPmmShift;
    if (pmm == 0 || (is_below && (state.mstatus & kStatusMxr) != 0)) {
        return {};
    }
    const bool is_translated = state.in_process || (is_below && satp_mode(state.satp) != SatpMode::bare);
    return {static_cast<uint8_t>(pmm == kPmmSeven ? 7 : 16), is_translated};
}

}  // namespace

bool walk(void* state_pointer, const WalkRequest* request, WalkResult* result) {
    State& state = *static_cast<State*>(state_pointer);
    WalkRequest masked = *request;
    if (request->access != Access::fetch) {
        // Once more: each part of a misaligned access is masked by itself, so one that passes the last address which counts goes on
        // with the first one.
        masked.vaddr =
            pointer_mask(state, mode_priv(static_cast<MmuMode>(request->mmu_mode))).apply(request->vaddr);
    }
    const Fault fault = translate_address(state, masked, result);
    if (fault != Fault::none && !request->probe) {
        record_exception(state,
                         fault == Fault::page ? page_fault(request->access) : access_fault(request->access),
                         masked.vaddr);
    }
    return fault == Fault::none;
}

std::optional<uint64_t> walk_for_debugger(State& state, const WalkRequest& request) {
    if (is_physical(state, request)) {
        return request.vaddr >> kPhysicalBits == 0 ? std::optional(request.vaddr) : std::nullopt;
    }
    Leaf leaf{};
    return Walker(state, request, false).find(&leaf) == Fault::none
               ? std::optional(physical_address(leaf, request.vaddr))
               : std::nullopt;
}

void unaligned_access(void* state, uint64_t vaddr, Access access) {
    record_exception(*static_cast<State*>(state), misaligned_fault(access), vaddr);
}

void bus_error(void* state, uint64_t vaddr, Access access) {
    record_exception(*static_cast<State*>(state), access_fault(access), vaddr);
}

AddressSpaceKey address_space(const void* state) {
    const uint64_t satp = static_cast<const State*>(state)->satp;
    if (satp_mode(satp) == SatpMode::bare) {
        return {0, 0};
    }
    return {satp & ~(kSatpAsidMask << kSatpAsidShift),
            static_cast<uint32_t>(satp >> kSatpAsidShift & kSatpAsidMask)};
}

uint64_t tb_flags(const void* state_pointer) {
    const State& state = *static_cast<const State*>(state_pointer);
    const auto mode_of = [&state](Priv priv) {
        switch (priv) {
            case Priv::user:
                return MmuMode::user;
            case Priv::supervisor:
                return (state.mstatus & kStatusSum) != 0 ? MmuMode::supervisor_sum : MmuMode::supervisor;
            case Priv::machine:
                break;
        }
        return MmuMode::machine;
    };
    // 3.1.6.3: with MPRV, loads and stores are made as if in the mode MPP names.
    const Priv data_priv = (state.mstatus & kStatusMprv) != 0
                               ? static_cast<Priv>((state.mstatus & kStatusMpp) >> kStatusMppShift)
                               : state.priv;
    // SUM has no say in fetches, so that they share one mode.
    const MmuMode fetch_mode = state.priv == Priv::supervisor ? MmuMode::supervisor : mode_of(state.priv);
    const uint64_t fs = (state.mstatus & kStatusFs) >> kStatusFsShift;
    const FpState fp = fs == 0 ? FpState::off : fs == 3 ? FpState::dirty : FpState::clean;
    return TbFlags(state.priv, fetch_mode, mode_of(data_priv), fp, fp == FpState::off ? 0 : state.frm,
                   pointer_mask(state, data_priv))
        .with_stop(state.critical_error)
        .bits();
}

uint8_t fetch_mmu_mode(uint64_t flags) { return static_cast<uint8_t>(TbFlags(flags).fetch_mode()); }

ir::Rounding fp_rounding(uint64_t flags) { return TbFlags(flags).fp_rounding(); }

}  // namespace weft::riscv
