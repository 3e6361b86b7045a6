#include "accel/tcg/blocks/code_page.h"

#include <utility>

namespace weft::accel {

PagePairLock::PagePairLock(CodePage& first, CodePage* second) WEFT_NO_THREAD_SAFETY_ANALYSIS : low_(&first),
                                                                                               high_(second) {
    if (high_ != nullptr && high_->ram_offset < low_->ram_offset) {
        std::swap(low_, high_);
    }
    low_->lock.lock();
    if (high_ != nullptr) {
        high_->lock.lock();
    }
}

PagePairLock::~PagePairLock() WEFT_NO_THREAD_SAFETY_ANALYSIS {
    if (high_ != nullptr) {
        high_->lock.unlock();
    }
    low_->lock.unlock();
}

}  // namespace weft::accel
