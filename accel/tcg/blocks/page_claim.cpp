#include "accel/tcg/blocks/page_claim.h"

#include "base/assert.h"

namespace weft::accel {

void PageClaim::add(uint64_t ram_offset, const uint8_t* host, CodeUser& reader) {
    WEFT_ASSERT(count_ < 2);
    CodePage& page = pages_.begin_reading(ram_offset, host, reader);
    {
        SpinLockGuard guard(page.lock);
        claims_[count_++] = {&page, page.writes};
    }
    gone_ = gone_ || (pages_.in_process() && !pages_.watch(page));
    // Read before the bytes are.
    provisional_ = provisional_ || page.protections.load(std::memory_order_seq_cst) != 0;
}

bool PageClaim::written() const WEFT_NO_THREAD_SAFETY_ANALYSIS {
    for (unsigned i = 0; i < count_; ++i) {
        if (claims_[i].page->writes != claims_[i].writes) {
            return true;
        }
    }
    return false;
}

PageClaim::~PageClaim() {
    for (unsigned i = 0; i < count_; ++i) {
        pages_.end_reading(*claims_[i].page);
    }
}

}  // namespace weft::accel
