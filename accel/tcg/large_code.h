// Mappings larger than 4 KiB that instructions were fetched through, so that forgetting one address forgets no more than
// it must: what the jump cache knows of other pages may stay where no larger mapping covers the address.
#pragma once

#include <array>
#include <cstdint>

namespace weft::accel {

// Belongs to the thread that runs the vCPU.
class LargeCode {
  public:
    void note(uint64_t vaddr, unsigned page_shift) {
        if (page_shift <= 12 || covers(vaddr)) {
            return;
        }
        if (count_ == ranges_.size()) {
            everything_ = true;
            return;
        }
        const uint64_t mask = page_shift < 64 ? ~uint64_t{0} << page_shift : 0;
        ranges_[count_++] = {vaddr & mask, mask};
    }

    bool covers(uint64_t vaddr) const {
        if (everything_) {
            return true;
        }
        for (unsigned i = 0; i < count_; ++i) {
            if ((vaddr & ranges_[i].mask) == ranges_[i].base) {
                return true;
            }
        }
        return false;
    }

    void clear() {
        count_ = 0;
        everything_ = false;
    }

  private:
    struct Range {
        uint64_t base;
        uint64_t mask;
    };

    std::array<Range, 8> ranges_{};
    unsigned count_ = 0;
    bool everything_ = false;  // more than fit
};

}  // namespace weft::accel
