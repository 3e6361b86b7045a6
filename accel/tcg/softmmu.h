// Guest memory as one vCPU sees it: the slow paths behind the TLB probes of generated code, fetching, the page walker's
// physical accesses, and the TLB itself.
//
// Everything belongs to the vCPU's thread. A function that returns false recorded a guest exception in the state.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "accel/tcg/code_writers.h"
#include "accel/tcg/tlb.h"
#include "tcg/exec_state.h"
#include "weft/guest.h"
#include "weft/ir.h"
#include "weft/memory.h"

namespace weft::accel {

// Where instructions of a page are read from.
struct FetchPage {
    PageKind kind;        // ram or rom: `host` is valid; device: every instruction is a call
    const uint8_t* host;  // of the page's first byte
    uint64_t ram_offset;  // of the page
    uint64_t paddr;       // of the page
    bool once;            // not to be remembered: the mapping holds for this access alone
};

struct SoftMmuConfig {
    const GuestArch* guest;
    const MemoryOps* memory;
    void* reader;          // MemoryOps::reader_create
    void* state;           // the state pointer
    CodeWriters* writers;
    Vcpu* vcpu;
    unsigned index;        // of the vCPU
};

class SoftMmu {
  public:
    explicit SoftMmu(const SoftMmuConfig& config);
    SoftMmu(const SoftMmu&) = delete;
    SoftMmu& operator=(const SoftMmu&) = delete;

    // RuntimeHooks::load, store, atomic.
    bool load(uint64_t vaddr, ir::MemOp memop, uint64_t* value);
    bool store(uint64_t vaddr, ir::MemOp memop, uint64_t value);
    bool atomic(ir::Opcode op, uint64_t vaddr, ir::MemOp memop, uint64_t a, uint64_t b, uint64_t* old);

    // The page that the instruction at `vaddr` is fetched from.
    bool fetch(uint64_t vaddr, unsigned mmu_mode, FetchPage* page);
    // An instruction's bytes in a page that is a device's. `size` bytes at `paddr`, 2 or 4.
    bool fetch_device(uint64_t paddr, uint64_t vaddr, unsigned size, uint32_t* bits);

    // What virtual addresses mean from now on. Keeps the TLBs of recent address spaces.
    void set_space(const AddressSpaceKey& key);

    void flush(const TlbFlush& flush);
    void flush_all();
    // The memory behind physical addresses changed: nothing that was looked up before is kept.
    void forget_memory();
    // The page of `ram_offset` became one with code: writable entries go through the slow path from now on.
    void demote(uint64_t ram_offset);

    // VcpuServices: the page walker's accesses.
    MemoryStatus phys_load(uint64_t paddr, unsigned size, uint64_t* value);
    MemoryStatus phys_store(uint64_t paddr, unsigned size, uint64_t value);
    MemoryStatus phys_cmpxchg(uint64_t paddr, uint64_t expected, uint64_t desired, bool* swapped);

    const TlbCounters& counters() const { return counters_; }

  private:
    static constexpr unsigned kSets = 8;           // address spaces whose TLBs are kept
    static constexpr unsigned kFetchEntries = 256;
    static constexpr unsigned kPageCache = 64;

    // Pages that instructions were fetched from lately; direct-mapped by virtual page. Valid for one generation.
    struct FetchEntry {
        uint64_t vpage;
        uint64_t generation;  // of the fetch cache when it was filled
        uint64_t space;       // id of the address space and MMU mode
        FetchPage page;
    };
    // What lies at physical pages.
    struct PhysEntry {
        uint64_t paddr = ~uint64_t{0};
        PageTarget target{};
    };

    Tlb& tlb(unsigned mode);
    void publish(unsigned mode);
    const PageTarget& phys_page(uint64_t paddr);
    // The TLB entry that serves an access of `size` bytes within one page, filled if need be; *once is used where
    // nothing may be cached. Null: an exception is recorded.
    tcg::TlbEntry* entry_for(uint64_t vaddr, unsigned size, unsigned mode, Access access, tcg::TlbEntry* once);
    bool load_within_page(uint64_t vaddr, unsigned size, unsigned mode, uint64_t* value);
    bool store_within_page(uint64_t vaddr, unsigned size, unsigned mode, uint64_t value);
    // Host address to store to, after translated code under it was dealt with.
    uint8_t* host_for_store(tcg::TlbEntry& entry, uint64_t vaddr, unsigned size);
    bool device_fault(DeviceStatus status, uint64_t vaddr, Access access);
    TlbSet& set_for(const AddressSpaceKey& key);

    const GuestArch& guest_;
    const MemoryOps& memory_;
    void* const reader_;
    void* const state_;
    CodeWriters& writers_;
    Vcpu* const vcpu_;
    const unsigned index_;

    std::array<std::unique_ptr<TlbSet>, kSets> sets_;
    TlbSet* current_ = nullptr;
    std::array<Tlb, tcg::kMmuModes> common_;  // modes that do not depend on the address space
    uint64_t uses_ = 0;
    uint64_t fetch_generation_ = 1;
    std::unique_ptr<std::array<FetchEntry, kFetchEntries>> fetches_;
    std::array<PhysEntry, kPageCache> phys_pages_;
    TlbCounters counters_;
};

}  // namespace weft::accel
