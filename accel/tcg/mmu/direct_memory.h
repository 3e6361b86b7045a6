// Guest-virtual memory in process mode: the host's own, at UserMemoryOps::base. Nothing is looked up and nothing is kept.
//
// Each access is one of base/faulting_access.h. Where the host refuses it, UserMemoryOps::fault is asked, and it is made again
// or GuestArch::memory_fault records why not. So a store to a page of code is announced exactly where one by generated code is:
// both fault, for the host's page has lost the right to write, and fault() tells the accelerator of the store before it gives the
// right back. Nothing else is told of a store here, and shared and hot pages, which do not fault, are not looked at: their
// translations are compared with memory when the guest asks for that.
//
// A page of code is known by its guest-virtual address (FetchPage::ram_offset). Its bytes are copied by accesses that may fault,
// like all others: no host address is kept, for the page may go at any time.
#pragma once

#include <array>
#include <cstdint>

#include "accel/tcg/mmu/guest_memory.h"
#include "base/faulting_access.h"
#include "weft/guest.h"
#include "weft/ir.h"
#include "weft/user_memory.h"

namespace weft::accel {

class DirectMemory final : public GuestMemory {
  public:
    // All of it outlives this. `state`: of the vCPU.
    DirectMemory(void* state, const GuestArch& guest, const UserMemoryOps& user)
        : state_(state), guest_(guest), user_(user) {}

    // Of 1 to 8 bytes each. A store or atomic that faults has changed nothing, also where it crosses into a page that is missing.
    // The fault's address is that of the first byte that may not be accessed.
    bool load(uint64_t vaddr, uint32_t memop, uint64_t* value) override;
    bool store(uint64_t vaddr, uint32_t memop, uint64_t value) override;
    bool atomic(ir::Opcode op, uint64_t vaddr, uint32_t memop, uint64_t a, uint64_t b,
                uint64_t* old) override;
    bool compare_exchange_pair(uint64_t vaddr, unsigned mmu_mode, const std::array<uint64_t, 2>& expected,
                               const std::array<uint64_t, 2>& desired, std::array<uint64_t, 2>* old) override;

    // The page's kind is not kept: it may change before the page is claimed, so whoever claims it asks for itself.
    bool fetch(uint64_t pc, uint8_t mmu_mode, FetchPage* page) override;
    bool read_code(const FetchPage& page, uint64_t pc, uint8_t* bytes, uint32_t size) override;
    uint64_t sample(const FetchPage& page) override;

    // The host faulted at an access by generated code to the byte at guest address `vaddr`, of which the signal's handler said
    // `host_code`. True: it is to be made again. False: an exception is recorded.
    bool after_host_fault(uint64_t vaddr, Access access, uint32_t host_code);

    // There is one address space, which all pcs are of, and nothing to forget: the host's page tables are what there is.
    AddressSpaceKey enter_space(uint8_t) override { return {}; }
    Fetched flush(const TlbFlush&) override { return Fetched::nowhere; }
    void flush_all() override {}
    // The host's page is protected once for all vCPUs, by UserMemoryOps::protect.
    void write_protect(uint64_t) override {}

  private:
    uint64_t host(uint64_t vaddr) const { return user_.base + vaddr; }
    bool aligned(uint64_t vaddr, unsigned size, Access access);
    bool within_limit(uint64_t vaddr, unsigned size) const {
        return vaddr < user_.limit && size <= user_.limit - vaddr;
    }
    bool below_limit(uint64_t vaddr, unsigned size, Access access) {
        return within_limit(vaddr, size) || fault_beyond_limit(vaddr, access);
    }
    bool fault_beyond_limit(uint64_t vaddr, Access access);
    // Whether nothing but the host's memory can refuse the access.
    bool may_try(uint64_t vaddr, ir::MemOp memop) const {
        return !memop.aligned() && within_limit(vaddr, memop.size());
    }
    bool load_or_fault(uint64_t vaddr, ir::MemOp memop, uint64_t* value);
    bool store_or_fault(uint64_t vaddr, ir::MemOp memop, uint64_t value);
    bool read_code_from(uint64_t pc, uint8_t* bytes, uint32_t done, uint32_t size, faulting::Fault fault);
    bool again(uint64_t vaddr, Access access, uint32_t host_code);
    bool again(const faulting::Fault& fault);
    template <class Attempt>
    bool attempt(Attempt&& access);

    // A page that code may be fetched from, while UserMemoryOps::generation is this one, which is never 0. The vCPU's thread's.
    struct KnownPage {
        uint64_t start = 0;
        uint64_t generation = 0;
        bool of_file = false;
    };
    KnownPage& known_page(uint64_t start) { return known_[start / kPageSize % kKnownPages]; }

    static constexpr unsigned kKnownPages = 8;

    void* const state_;
    const GuestArch& guest_;
    const UserMemoryOps& user_;
    std::array<KnownPage, kKnownPages> known_;
};

}  // namespace weft::accel
