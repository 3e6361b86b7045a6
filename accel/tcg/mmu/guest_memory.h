// Guest-virtual memory as the instructions of one vCPU see it, and where code's bytes come from: what the rest of the
// accelerator knows of it. SoftMmu is a machine's, DirectMemory a process's.
//
// The slow path only: generated code makes most accesses itself, and comes here where it may not. What only a machine has
// (physical memory, devices, TLBs to report on) is SoftMmu's own. All of it belongs to the thread that runs the vCPU.
#pragma once

#include <cstdint>

#include "weft/guest.h"
#include "weft/ir.h"

namespace weft::accel {

// Where the bytes of a page of code are.
struct FetchPage {
    // No RAM: bytes are read piece by piece at `paddr`, translations are used once.
    bool device;
    // Of the page's first byte; unless `device`. Null in process mode, where the page may go at any time.
    const uint8_t* host;
    // Of the page; unless `device`. In process mode its guest address.
    uint64_t ram_offset;
    // Guest-physical address of the pc that was asked for. In process mode that pc.
    uint64_t paddr;
    // Another process is likely to execute the same bytes: they are a machine's, or of a file.
    bool lasting = true;
};

// Through which mappings instructions may have been fetched that a flush concerns.
enum class Fetched : uint8_t { nowhere, page, anywhere };

class GuestMemory {
  public:
    virtual ~GuestMemory() = default;
    GuestMemory(const GuestMemory&) = delete;
    GuestMemory& operator=(const GuestMemory&) = delete;

    // Behind tcg::RuntimeHooks: see there. False: a guest exception is recorded in the state, and *value and *old mean nothing.
    virtual bool load(uint64_t vaddr, uint32_t memop, uint64_t* value) = 0;
    virtual bool store(uint64_t vaddr, uint32_t memop, uint64_t value) = 0;
    virtual bool atomic(ir::Opcode op, uint64_t vaddr, uint32_t memop, uint64_t a, uint64_t b,
                        uint64_t* old) = 0;

    // VcpuServices::compare_exchange_pair, for code of this MMU mode.
    virtual bool compare_exchange_pair(uint64_t vaddr, unsigned mmu_mode,
                                       const std::array<uint64_t, 2>& expected,
                                       const std::array<uint64_t, 2>& desired,
                                       std::array<uint64_t, 2>* old) = 0;

    // The page that the instruction at `pc` is fetched from. False: a guest exception is recorded in the state.
    virtual bool fetch(uint64_t pc, uint8_t mmu_mode, FetchPage* page) = 0;
    // Copies `size` bytes of code from `pc` on, all in one page, which fetch() gave as `page`. Of a device: those of one
    // instruction at most, at the pc that fetch() was asked for. Others may write them meanwhile. False: a guest exception is
    // recorded in the state.
    virtual bool read_code(const FetchPage& page, uint64_t pc, uint8_t* bytes, uint32_t size) = 0;

    // A number made of a few bytes of the page, which is no device's: most likely the same for the same code, and another for other
    // code. Nothing but speed may depend on it.
    virtual uint64_t sample(const FetchPage& page) = 0;

    // Makes the address space that the state's registers name the current one; cheap where it is. Returns what, besides the
    // TB flags, the meaning of a pc that is fetched in `mmu_mode` depends on now.
    virtual AddressSpaceKey enter_space(uint8_t mmu_mode) = 0;

    // Forgets translations. Tells through which mappings instructions may have been fetched that are concerned: what was
    // derived from others may stay.
    virtual Fetched flush(const TlbFlush& flush) = 0;
    // Forgets everything, of all address spaces, and what lies at physical addresses: the topology changed, or the vCPU
    // is reset.
    virtual void flush_all() = 0;
    // See CodeUser::write_protect.
    virtual void write_protect(uint64_t ram_offset) = 0;

  protected:
    // The places of sample().
    static constexpr uint64_t kSampleStep = kPageSize / 8;

    GuestMemory() = default;
};

}  // namespace weft::accel
