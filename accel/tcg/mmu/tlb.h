// The softmmu TLB of one MMU mode, and the sets of them that a vCPU keeps for recent address spaces.
//
// All of it belongs to its vCPU's thread. Generated code probes the direct-mapped table through ExecState::tlb; the slow
// path also searches a few victims, fills, and resizes: a table grows when fills keep throwing out live entries, in use
// and not only at a flush, so that a strided walk over more pages than there are entries does not collapse.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "accel/tcg/counters.h"
#include "accel/tcg/mmu/page_filter.h"
#include "tcg/exec_state.h"
#include "weft/guest.h"

namespace weft::accel {

class Tlb {
  public:
    static constexpr unsigned kMinBits = 8;   // entries, log2
    static constexpr unsigned kMaxBits = 16;  // 65,536 entries reach 256 MiB
    static constexpr unsigned kVictims = 8;
    static constexpr unsigned kMinPatience = 2;  // flushes
    static constexpr unsigned kMaxPatience = 4096;
    static_assert(uint64_t{1} << kMaxBits <= tcg::kMaxTlbEntries);

    Tlb();

    // What generated code is to probe. Changes with every insert and flush that resizes.
    tcg::TlbTable table() {
        return {static_cast<uint64_t>(entries_.size() - 1) << tcg::kTlbEntryShift, entries_.data()};
    }
    size_t size() const { return entries_.size(); }

    // The entry for `vaddr` if its page is cached for reads or, with `is_store`, for stores (flags aside); null if not.
    // An entry found among the victims changes places with the one in the table.
    tcg::TlbEntry* find(uint64_t vaddr, bool is_store, VcpuCounters& counters);

    // Caches an entry for the page of `vaddr`; what was there becomes a victim. `page_shift` is the mapping's. The
    // returned entry stays valid until the next call on this object.
    tcg::TlbEntry* insert(uint64_t vaddr, const tcg::TlbEntry& entry, unsigned page_shift,
                          VcpuCounters& counters);

    // What all address spaces share (a kernel's mappings: what runs after a flush needs them at once) may stay or has to go.
    enum class Global : uint8_t { stays, goes };

    // Forgets the page of `vaddr`, and, where it may lie in a larger mapping, all of that: what was forgotten is the aligned range
    // of 2^N bytes around `vaddr`, N being returned.
    unsigned flush_page(uint64_t vaddr, Global global);
    // Forgets everything; a table that was used little shrinks.
    void flush(VcpuCounters& counters);
    // The same, but for what all address spaces share.
    void flush_but_global(VcpuCounters& counters);
    // Whether nothing was cached since the last flush of everything: a table without entries may still have victims.
    bool empty() const { return empty_; }
    size_t used() const { return used_; }  // of the direct-mapped entries
    std::span<const tcg::TlbEntry> entries() const { return entries_; }

    // Calls fn(entry) for every entry in use: rare scans (a page that became code, memory that moved).
    template <class Fn>
    void for_each(Fn&& fn) {
        if (empty()) {
            return;
        }
        for (tcg::TlbEntry& entry : entries_) {
            fn(entry);
        }
        for (tcg::TlbEntry& entry : victims_) {
            fn(entry);
        }
    }

  private:
    tcg::TlbEntry& slot(uint64_t vaddr) { return entries_[vaddr >> kPageBits & (entries_.size() - 1)]; }
    void resize(size_t entries);
    void flush_range(uint64_t base, unsigned shift, Global global);
    void shrink_if_quiet(VcpuCounters& counters);
    void note_local(const tcg::TlbEntry& entry) {
        locals_[local_count_ % kMostLocals] = static_cast<uint16_t>(&entry - entries_.data());
        ++local_count_;
    }

    std::vector<tcg::TlbEntry> entries_;
    std::array<tcg::TlbEntry, kVictims> victims_;
    unsigned next_victim_ = 0;
    bool empty_ = true;
    size_t used_ = 0;       // entries of the table in use
    size_t peak_used_ = 0;  // most in use since the last flush
    size_t conflicts_ = 0;  // live entries thrown out since the last resize
    unsigned quiet_flushes_ = 0;
    // So many in a row and the table shrinks. More, where it had to grow again soon: frequent flushes with little in use
    // between them, of pages that meet in a smaller table.
    unsigned patience_ = kMinPatience;
    unsigned flushes_since_shrunk_ = 0;
    // Where entries were cached that are not global since flush_but_global() was called last, so that it need not look at all of a
    // table; more than kMostLocals: it has to.
    static constexpr uint32_t kMostLocals = 256;
    std::array<uint16_t, kMostLocals> locals_;
    uint32_t local_count_ = 0;
    // Mappings of more than 4 KiB that there are entries of.
    PageFilter large_;
    PageFilter large_global_;
};

// The TLBs of one address space: one a mode that depends on it.
struct TlbSet {
    AddressSpaceKey key;
    uint64_t id = 0;  // of this use of the set, from 1
    uint64_t last_use = 0;
    std::array<Tlb, tcg::kMmuModes> modes;
};

}  // namespace weft::accel
