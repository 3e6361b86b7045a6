// A vCPU's store to RAM through a TLB entry that may need more than the store.
#pragma once

#include <cstdint>
#include <optional>

#include "accel/tcg/blocks/code_users.h"
#include "accel/tcg/blocks/page_map.h"
#include "tcg/exec_state.h"

namespace weft::accel {

// Made before the store, and told when it was made. The vCPU's thread, on which nothing else happens in between.
class RamStore {
  public:
    // `size` bytes at `address`, in the page of `entry`; virtual or physical.
    RamStore(PageMap& pages, CodeUser& user, tcg::TlbEntry& entry, uint64_t address, unsigned size)
        : pages_(pages),
          user_(user),
          ram_offset_(tcg::tlb_frame(entry) | (address & (kPageSize - 1))),
          size_(size) {
        if ((entry.write & tcg::kTlbNotDirty) == 0) {
            return;
        }
        // Before the store: who makes code of the page from now on asks this vCPU to protect, which it does after the store.
        if (pages.may_store_directly(tcg::tlb_frame(entry), user.index)) {
            entry.write &= ~uint64_t{tcg::kTlbNotDirty};
        } else {
            under_way_.emplace(pages.under_way(), user.index, ram_offset_, size);
        }
    }
    RamStore(const RamStore&) = delete;
    RamStore& operator=(const RamStore&) = delete;

    // After the store: translations made of these bytes go.
    void made() {
        if (under_way_) {
            pages_.written(ram_offset_, size_, &user_);
        }
    }

  private:
    PageMap& pages_;
    CodeUser& user_;
    const uint64_t ram_offset_;
    const unsigned size_;
    std::optional<WritesUnderWay::Store> under_way_;
};

}  // namespace weft::accel
