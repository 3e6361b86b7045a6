// A translation's claim on the pages whose bytes it reads: while it lasts, no write to them passes unnoticed.
//
// One translation's, on one thread.
#pragma once

#include <cstdint>

#include "accel/tcg/blocks/page_map.h"

namespace weft::accel {

class PageClaim {
  public:
    explicit PageClaim(PageMap& pages) : pages_(pages) {}
    ~PageClaim();
    PageClaim(const PageClaim&) = delete;
    PageClaim& operator=(const PageClaim&) = delete;

    // Claims the next page, at most two. Read the bytes afterwards.
    void add(uint64_t ram_offset, const uint8_t* host, CodeUser& reader);
    // In process mode: nothing may be fetched from a page any more, and what was made of its bytes is not to be used.
    bool gone() const { return gone_; }

    unsigned count() const { return count_; }
    CodePage& page(unsigned i) const { return *claims_[i].page; }
    // Whether a write to one of the pages was announced since it was claimed, or the end of its mapping. With the pages' locks
    // held.
    bool written() const;
    // Whether some vCPU may have stored to a page, unannounced, since it was claimed.
    bool provisional() const { return provisional_; }

  private:
    struct Claim {
        CodePage* page;
        uint64_t writes;
    };

    PageMap& pages_;
    Claim claims_[2]{};
    unsigned count_ = 0;
    bool provisional_ = false;
    bool gone_ = false;
};

}  // namespace weft::accel
