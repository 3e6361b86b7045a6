// The guest's bytes that a unit is made of, as they were read: a copy, so that any thread can translate it.
//
// Read on the vCPU's thread, inside the exclusive gate, for its mappings and rights are asked for; then anybody's.
#pragma once

#include <array>
#include <cstdint>

#include "accel/tcg/blocks/page_claim.h"
#include "accel/tcg/mmu/guest_memory.h"

namespace weft {
struct Vcpu;
}

namespace weft::accel {

class UnitSource {
  public:
    // A unit that begins at `pc`, in `page`, with at most `max_insns` instructions. `insn_limit`: which is fewer than there
    // could be.
    UnitSource(uint64_t pc, const FetchPage& page, uint32_t max_insns, bool insn_limit)
        : pc_(pc), first_(page), max_insns_(max_insns), insn_limit_(insn_limit) {}

    // Reads its bytes, as many as a unit is likely to have. False: a guest exception is recorded.
    bool read(Vcpu& vcpu, PageClaim& claim);
    // The first instruction reaches past what was read: past the page, or past the few bytes read of a device. False: a guest
    // exception is recorded.
    bool read_more(Vcpu& vcpu, PageClaim& claim);

    uint64_t pc() const { return pc_; }
    uint32_t page_offset() const { return static_cast<uint32_t>(pc_ & (kPageSize - 1)); }
    const uint8_t* bytes() const { return bytes_.data(); }
    uint32_t size() const { return size_; }
    const FetchPage& first() const { return first_; }
    // Where read_more() went on in another page, or in the same one at the page's start. Null: nowhere.
    const FetchPage* second() const { return has_second_ ? &second_ : nullptr; }
    // GuestMemory::sample() of the first page, where it was asked for; else 0.
    uint64_t page_sample() const { return page_sample_; }
    void set_page_sample(uint64_t sample) { page_sample_ = sample; }
    uint32_t max_insns() const { return max_insns_; }
    // Of a device's bytes, or of fewer instructions than there are: its TB is used once.
    bool single_use() const { return insn_limit_ || first_.device || (has_second_ && second_.device); }

  private:
    bool needs_claim(const Vcpu& vcpu) const;
    bool read_piece(Vcpu& vcpu, const FetchPage& page, uint32_t size);

    // Most units are far shorter: reading a page for each would cost more than now and then a unit that ends early.
    static constexpr uint32_t kMaxBytes = 512;

    const uint64_t pc_;
    const FetchPage first_;
    FetchPage second_{};
    const uint32_t max_insns_;
    const bool insn_limit_;
    bool has_second_ = false;
    uint64_t page_sample_ = 0;
    uint32_t size_ = 0;                          // of `bytes_`
    std::array<uint8_t, kMaxBytes + 16> bytes_;  // read_more() adds to less than an instruction
};

}  // namespace weft::accel
