// The software MMU of one vCPU: guest-virtual memory as its instructions see it in a machine.
//
// Generated code probes the tables of ExecState::tlb itself and comes here when a probe fails. Everything belongs to the
// thread that runs the vCPU.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "accel/tcg/counters.h"
#include "accel/tcg/debug_points.h"
#include "accel/tcg/mmu/address_spaces.h"
#include "accel/tcg/mmu/fetch_map.h"
#include "accel/tcg/mmu/guest_memory.h"
#include "accel/tcg/mmu/physical.h"
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
    const DebugPoints& debug_points;
};

class SoftMmu final : public GuestMemory {
  public:
    // Sets up the tables of ExecState.
    explicit SoftMmu(const MmuParts& parts);

    bool load(uint64_t vaddr, uint32_t memop, uint64_t* value) override;
    bool store(uint64_t vaddr, uint32_t memop, uint64_t value) override;
    bool atomic(ir::Opcode op, uint64_t vaddr, uint32_t memop, uint64_t a, uint64_t b,
                uint64_t* old) override;
    bool compare_exchange_pair(uint64_t vaddr, unsigned mmu_mode, const std::array<uint64_t, 2>& expected,
                               const std::array<uint64_t, 2>& desired, std::array<uint64_t, 2>* old) override;
    bool fetch(uint64_t pc, uint8_t mmu_mode, FetchPage* page) override;
    bool read_code(const FetchPage& page, uint64_t pc, uint8_t* bytes, uint32_t size) override;
    uint64_t sample(const FetchPage& page) override;
    AddressSpaceKey enter_space(uint8_t mmu_mode) override {
        set_space(guest_.address_space(state_));
        return fetch_context(mmu_mode);
    }
    Fetched flush(const TlbFlush& flush) override;
    void flush_all() override;
    // Writable entries of the page get tcg::kTlbNotDirty: see PageMap.
    void write_protect(uint64_t ram_offset) override { spaces_.write_protect(ram_offset); }

    // After an access that did not happen: whether a watchpoint is why, instead of an exception of the guest's. Once.
    std::optional<WatchHit> take_watch_hit() { return std::exchange(watch_hit_, std::nullopt); }

    // The address space that the state's registers name now. Cheap where it is the current one.
    void set_space(AddressSpaceKey key) { spaces_.enter(key); }
    // See FetchMap::context.
    AddressSpaceKey fetch_context(unsigned mode) const { return fetches_.context(mode); }

    // Whether the last access failed because something else lies there now (DeviceStatus::again): no exception is recorded, and
    // after flush_all() the instruction is to be done again. Asking forgets it.
    bool take_again() { return std::exchange(again_, false); }

    // For reports. Calls fn(space, mode, tlb, current) for each table there is; `space` is null where the mode does not
    // depend on it, `current` says whether generated code probes the table.
    template <class Fn>
    void for_each_tlb(Fn&& fn) const {
        spaces_.for_each_tlb(std::forward<Fn>(fn));
    }

    // For the page walker.
    PhysicalMemory& physical() { return physical_; }

  private:
    // Has `access(host)` make an atomic access to `size` bytes of RAM. False as atomic().
    template <class Made>
    bool make_atomic(uint64_t vaddr, unsigned size, unsigned mmu_mode, Made&& access);
    void flush_tables();
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
    // Of an access that may be made, through an entry (or two) with such tags: true, and take_watch_hit() says more, where a debugger is to
    // be told before.
    bool stopped_before(uint64_t tags, uint64_t vaddr, unsigned size, bool loads, bool stores) {
        return (tags & tcg::kTlbWatched) != 0 && watched(vaddr, size, loads, stores);
    }
    bool watched(uint64_t vaddr, unsigned size, bool loads, bool stores);

    CodeUser& user_;
    void* const state_;
    const GuestArch& guest_;
    const HostServices& host_;
    VcpuCounters& counters_;
    ContextIds& contexts_;
    PageMap& code_pages_;
    const DebugPoints& debug_points_;
    std::optional<WatchHit> watch_hit_;
    PhysicalMemory physical_;
    AddressSpaces spaces_;
    FetchMap fetches_;
    bool again_ = false;
};

}  // namespace weft::accel
