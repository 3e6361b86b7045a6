// A page of guest RAM that holds translated code.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "accel/tcg/blocks/exposed_pages.h"
#include "base/spin_lock.h"
#include "tcg/code/tb.h"

namespace weft::accel {

// A page that holds, or held, code. Lives as long as its machine.
struct CodePage {
    // `writer_words`: 64 vCPUs each.
    CodePage(uint64_t page_ram_offset, std::atomic<uint32_t>& page_has_code, uint32_t writer_words)
        : ram_offset(page_ram_offset),
          has_code(page_has_code),
          asked(std::make_unique<uint64_t[]>(writer_words)) {}

    const uint64_t ram_offset;
    // Written under `lock`, read by anybody; sequentially consistent.
    std::atomic<uint32_t>& has_code;
    // vCPUs that have not write-protected their entries yet: while not 0 the page's new TBs are provisional. Written under
    // `lock`, read by anybody; sequentially consistent.
    std::atomic<uint32_t> protections{0};
    // Of the page's first byte, as the last reader found it; null while the page holds no code, for its memory may go then, and
    // in process mode. Written under `lock`, read by anybody; relaxed.
    std::atomic<const uint8_t*> host{nullptr};
    ExposedLink exposed;

    SpinLock lock;  // the page lock; two are taken in ascending order of `ram_offset`
    tcg::PageLink* blocks WEFT_GUARDED_BY(lock) = nullptr;
    // 64-byte lines of the page that hold code of TBs: a bit each, conservative.
    uint64_t lines WEFT_GUARDED_BY(lock) = 0;
    // Who they are: a bit each. None is asked twice at a time.
    const std::unique_ptr<uint64_t[]> asked WEFT_GUARDED_BY(lock);
    // In process mode: writes to it are not announced, and all its TBs are provisional. One of `protections` stands for it.
    bool checked WEFT_GUARDED_BY(lock) = false;
    // Translations that read the page's bytes.
    uint32_t readers WEFT_GUARDED_BY(lock) = 0;
    // Counts announced writes: a translation whose page was written meanwhile compares its bytes.
    uint64_t writes WEFT_GUARDED_BY(lock) = 0;
};

// Holds the locks of one page or two, in their order.
class PagePairLock {
  public:
    // `second` may be null; else it is not `first`.
    PagePairLock(CodePage& first, CodePage* second);
    ~PagePairLock();
    PagePairLock(const PagePairLock&) = delete;
    PagePairLock& operator=(const PagePairLock&) = delete;

  private:
    CodePage* low_;
    CodePage* high_;
};

}  // namespace weft::accel
