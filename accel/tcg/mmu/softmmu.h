// The software MMU of one vCPU: guest-virtual memory as its instructions see it.
//
// Generated code probes the tables of ExecState::tlb itself and comes here when a probe fails. Everything belongs to the
// thread that runs the vCPU.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "accel/tcg/counters.h"
#include "accel/tcg/mmu/fetch_contexts.h"
#include "accel/tcg/mmu/page_filter.h"
#include "accel/tcg/mmu/tlb.h"
#include "tcg/exec_state.h"
#include "weft/accel.h"
#include "weft/guest.h"
#include "weft/ir.h"
#include "weft/memory.h"

namespace weft::accel {

class CodeUser;
class ContextIds;
class PageMap;

// What the software MMU of a vCPU works with; all of it outlives it.
struct MmuParts {
    CodeUser& user;  // the vCPU, to the pages that hold code
    void* state;     // its state block
    tcg::ExecState& exec;
    void* reader;  // MemoryOps, of its address space
    const GuestArch& guest;
    const MemoryOps& memory;
    const HostServices& host;
    ContextIds& contexts;
    PageMap& code_pages;
};

// Where the bytes of a page of code are.
struct FetchPage {
    bool device;          // no RAM: bytes come from device_read() at `paddr`, translations are used once
    const uint8_t* host;  // of the page's first byte; unless `device`
    uint64_t ram_offset;  // of the page; unless `device`
    uint64_t paddr;       // guest-physical address of the pc that was asked for
};

class SoftMmu {
  public:
    // Sets up the tables of ExecState.
    explicit SoftMmu(const MmuParts& parts);
    SoftMmu(const SoftMmu&) = delete;
    SoftMmu& operator=(const SoftMmu&) = delete;

    // Behind tcg::RuntimeHooks: see there. False: a guest exception is recorded in the state.
    bool load(uint64_t address, uint32_t memop, uint64_t* value);
    bool store(uint64_t address, uint32_t memop, uint64_t value);
    bool atomic(ir::Opcode op, uint64_t address, uint32_t memop, uint64_t a, uint64_t b, uint64_t* old);

    // The page that the instruction at `pc` is fetched from. False: a guest exception is recorded in the state.
    bool fetch(uint64_t pc, uint8_t mmu_mode, FetchPage* page);

    // Forgets translations. Tells through which mappings instructions may have been fetched that are concerned: what was
    // derived from others may stay.
    enum class Fetched : uint8_t { nowhere, page, anywhere };
    Fetched flush(const TlbFlush& flush);
    // Forgets everything, of all address spaces, and what lies at physical addresses: the topology changed, or the vCPU
    // is reset.
    void flush_all();
    // The address space that the state's registers name now. Cheap where it is the current one.
    void set_space(AddressSpaceKey key);
    // What, besides the TB flags, the meaning of a pc in `mode` depends on now: the current address space, none, or
    // kGlobalMappings.
    static constexpr AddressSpaceKey kGlobalMappings{~uint64_t{0}, ~uint32_t{0}};
    AddressSpaceKey fetch_context(unsigned mode) const;

    // Takes the direct way to stores to the page at `ram_offset` away: writable entries get tcg::kTlbNotDirty. See
    // PageMap.
    void protect_code_page(uint64_t ram_offset);

    // For reports. Calls fn(space, mode, tlb, current) for each table there is; `space` is null where the mode does not
    // depend on it, `current` says whether generated code probes the table.
    template <class Fn>
    void for_each_tlb(Fn&& fn) const {
        const unsigned modes = mode_count();
        for (unsigned mode = 0; mode < modes; ++mode) {
            if (!depends_on_space(mode)) {
                fn(static_cast<const AddressSpaceKey*>(nullptr), mode, common_[mode], true);
            }
        }
        for (const std::unique_ptr<TlbSet>& set : sets_) {
            for (unsigned mode = 0; set != nullptr && mode < modes; ++mode) {
                if (depends_on_space(mode)) {
                    fn(&set->key, mode, set->modes[mode], set.get() == current_);
                }
            }
        }
    }

    // VcpuServices of the same names.
    MemoryStatus phys_load(uint64_t paddr, unsigned size, uint64_t* value);
    MemoryStatus phys_store(uint64_t paddr, unsigned size, uint64_t value);
    MemoryStatus phys_cmpxchg(uint64_t paddr, uint64_t expected, uint64_t desired, bool* swapped);

  private:
    static constexpr unsigned kSets = 8;  // address spaces whose TLBs are kept
    static constexpr unsigned kFetchEntries = 256;
    static constexpr unsigned kPhysEntries = 64;

    // Pages that instructions were fetched from lately; direct-mapped by virtual page.
    struct FetchEntry {
        uint64_t vpage;
        uint64_t space;  // as fetch_space() says; 0: empty
        FetchPage page;
    };
    // What lies at physical pages; direct-mapped.
    struct PhysEntry {
        uint64_t paddr = ~uint64_t{0};
        PageTarget target{};
    };

    unsigned mode_count() const;
    bool depends_on_space(unsigned mode) const;
    Tlb& tlb(unsigned mode);
    TlbSet& set_for(const AddressSpaceKey& key);
    // Tells generated code of a mode's table, which may have moved.
    void publish(unsigned mode);
    void publish_all();
    void flush_tables();
    // TlbSet::id and MMU mode; id 0 stands for all address spaces.
    static constexpr uint64_t fetch_space(uint64_t set_id, unsigned mode) { return set_id << 4 | 8u | mode; }
    // Whether addresses in `mode` are translated now by tables that other address spaces may share mappings with. (Going to
    // and from physical addresses takes effect at once, whatever was global: RISC-V privileged, 12.1.11.)
    bool shares_mappings(unsigned mode) const { return depends_on_space(mode) && current_->key.root != 0; }
    Fetched forget_fetches(const TlbFlush& flush);
    const PageTarget& phys_page(uint64_t paddr);

    // The TLB entry that serves an access within one page, filled if need be; `once` is used where nothing may be
    // cached. Null: an exception is recorded.
    tcg::TlbEntry* entry_for(uint64_t vaddr, unsigned size, unsigned mode, Access access,
                             tcg::TlbEntry* once);
    void log_walk(const WalkRequest& request, const WalkResult* walk) const;
    bool fill(uint64_t vaddr, const WalkResult& walk, Access access, tcg::TlbEntry* entry);
    bool load_within_page(uint64_t vaddr, ir::MemOp memop, uint64_t* value);
    bool store_within_page(uint64_t vaddr, ir::MemOp memop, uint64_t value);
    // What an access that crosses a page's end does in one of the two pages (softmmu_across_pages.cpp).
    struct Part {
        uint64_t vaddr;
        unsigned size;  // bytes, 1 to 7
        tcg::TlbEntry entry;
    };
    bool split(uint64_t vaddr, ir::MemOp memop, Access access, std::array<Part, 2>* parts);
    bool load_part(const Part& part, uint64_t* value);
    bool store_part(Part& part, uint64_t value);
    bool load_across_pages(uint64_t vaddr, ir::MemOp memop, uint64_t* value);
    bool store_across_pages(uint64_t vaddr, ir::MemOp memop, uint64_t value);
    bool device_done(DeviceStatus status, uint64_t vaddr, Access access);

    CodeUser& user_;
    void* const state_;
    tcg::ExecState& exec_;
    void* const reader_;
    const GuestArch& guest_;
    const MemoryOps& memory_;
    const HostServices& host_;
    VcpuCounters& counters_;
    ContextIds& contexts_;
    PageMap& code_pages_;

    std::array<std::unique_ptr<TlbSet>, kSets> sets_;
    TlbSet* current_ = nullptr;
    std::array<Tlb, tcg::kMmuModes> common_;  // of modes that do not depend on the address space
    uint64_t uses_ = 0;
    uint64_t set_ids_ = 0;
    std::unique_ptr<std::array<FetchEntry, kFetchEntries>> fetches_;
    // Mappings that instructions were fetched through since everything was forgotten.
    PageFilter fetched_;
    FetchContexts fetch_contexts_;
    std::array<PhysEntry, kPhysEntries> phys_pages_;
};

}  // namespace weft::accel
