// The software MMU of one vCPU: guest-virtual memory as its instructions see it.
//
// Generated code probes the tables of ExecState::tlb itself and comes here when a probe fails. Everything belongs to the
// thread that runs the vCPU.
#pragma once

#include <cstdint>

#include "weft/guest.h"
#include "weft/ir.h"
#include "weft/memory.h"

namespace weft {
struct Vcpu;
}

namespace weft::accel {

class CodePages;

// Where the bytes of a page of code are.
struct FetchPage {
    bool device;          // no RAM: bytes come from device_read() at `paddr`, translations are used once
    const uint8_t* host;  // of the page's first byte; unless `device`
    uint64_t ram_offset;  // of the page; unless `device`
    uint64_t paddr;       // guest-physical address of the pc that was asked for
};

class SoftMmu {
  public:
    // `vcpu` has its state block and reader; its SoftMmu is the last to be made. The tables of ExecState are set up.
    SoftMmu(Vcpu& vcpu, CodePages& code_pages);
    ~SoftMmu();
    SoftMmu(const SoftMmu&) = delete;
    SoftMmu& operator=(const SoftMmu&) = delete;

    // Behind tcg::RuntimeHooks: see there. False: a guest exception is recorded in the state.
    bool load(uint64_t address, uint32_t memop, uint64_t* value);
    bool store(uint64_t address, uint32_t memop, uint64_t value);
    bool atomic(ir::Opcode op, uint64_t address, uint32_t memop, uint64_t a, uint64_t b, uint64_t* old);

    // The page that the instruction at `pc` is fetched from. False: a guest exception is recorded in the state.
    bool fetch(uint64_t pc, uint8_t mmu_mode, FetchPage* page);

    // Forgets translations. True: nothing outside the 4 KiB page of flush.vaddr was concerned (no larger page was cached
    // there), so that what else is derived from translations may stay.
    bool flush(const TlbFlush& flush);
    // Forgets everything, of all address spaces: the topology changed, or the vCPU is reset.
    void flush_all();
    // The address space that the state's registers name now. Cheap where it is the current one.
    void set_space(AddressSpaceKey key);

    // Takes the direct way to stores to the page at `ram_offset` away: writable entries get tcg::kTlbNotDirty. See
    // CodePages.
    void protect_code_page(uint64_t ram_offset);

    // VcpuServices of the same names.
    MemoryStatus phys_load(uint64_t paddr, unsigned size, uint64_t* value);
    MemoryStatus phys_store(uint64_t paddr, unsigned size, uint64_t value);
    MemoryStatus phys_cmpxchg(uint64_t paddr, uint64_t expected, uint64_t desired, bool* swapped);

  private:
    Vcpu& vcpu_;
    CodePages& code_pages_;
};

}  // namespace weft::accel
