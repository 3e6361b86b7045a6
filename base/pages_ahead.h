// Pages of memory that is filled from its start on, made some at a time before they are touched. A page that is made by a fault of its own
// costs the fault besides, which in virtual machines is more than all the rest.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/bits.h"
#include "base/mapping.h"

namespace weft {

// How far the pages of one mapping after the other are made. Belongs to whoever fills them.
class PagesAhead {
  public:
    // `on`: else every page is made when it is touched.
    explicit PagesAhead(bool on) : on_(on) {}

    // Another mapping is filled from now on, or this one once more, from `start` on, a multiple of the page size.
    void restart(std::size_t start = 0) { made_ = start; }
    // The bytes up to `end` of the mapping are about to be in use.
    void reach(const Mapping& memory, std::size_t end) {
        if (end > made_ && on_) {
            make(memory, end);
        }
    }

  private:
    static constexpr std::size_t kGroup = std::size_t{64} << 10;
    static constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, of headers since Linux 5.14

    void make(const Mapping& memory, std::size_t end) {
        const std::size_t to = std::min(align_up(end, kGroup), memory.size());
        if (to > made_) {
            // Where the host refuses, for want of memory or as an older kernel, they are made when they are touched.
            static_cast<void>(memory.advise(made_, to - made_, kPopulateWrite));
            made_ = to;
        }
    }

    bool on_;
    std::size_t made_ = 0;
};

}  // namespace weft
