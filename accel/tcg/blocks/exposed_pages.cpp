#include "accel/tcg/blocks/exposed_pages.h"

#include "accel/tcg/blocks/page_map.h"

namespace weft::accel {

void ExposedPages::add(CodePage& page) {
    {
        SpinLockGuard guard(lock_);
        if (page.exposed.holds++ == 0) {
            // At the head: a walk under way, which need not see it, comes to its end.
            page.exposed.previous = nullptr;
            page.exposed.next = head_;
            if (head_ != nullptr) {
                head_->exposed.previous = &page;
            }
            head_ = &page;
        }
    }
    asked_.fetch_add(1, std::memory_order_seq_cst);
}

void ExposedPages::remove(CodePage& page) {
    asked_.fetch_sub(1, std::memory_order_seq_cst);
    SpinLockGuard guard(lock_);
    let_go(page);
}

CodePage* ExposedPages::first() {
    SpinLockGuard guard(lock_);
    if (head_ != nullptr) {
        ++head_->exposed.holds;
    }
    return head_;
}

CodePage* ExposedPages::next(CodePage& page) {
    SpinLockGuard guard(lock_);
    CodePage* const next = page.exposed.next;
    if (next != nullptr) {
        ++next->exposed.holds;
    }
    let_go(page);
    return next;
}

void ExposedPages::let_go(CodePage& page) {
    ExposedLink& link = page.exposed;
    if (--link.holds != 0) {
        return;
    }
    (link.previous != nullptr ? link.previous->exposed.next : head_) = link.next;
    if (link.next != nullptr) {
        link.next->exposed.previous = link.previous;
    }
}

}  // namespace weft::accel
