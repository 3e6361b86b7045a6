// Pages of code in process mode, where generated code stores to memory without a word.
//
// A page whose bytes no other mapping shows loses the host's right to be written to before its bytes are read
// (UserMemoryOps::protect). The first store to it faults, is announced by written(), which ends its TBs, and only then gets the
// right back. So the order of a translation is
//   claim the page (mark it, note `writes`)  ->  ask for its kind, protect  ->  read the bytes  ->  publish where `writes` is as it was
// and that of a store that meets the protection
//   fault  ->  written(): `writes` moves on, TBs end  ->  the right to write comes back  ->  the store
// A store before the protection is read; one after it is announced before it is made, and the announcement either finds the TB
// or is found by its publication, under the page's lock.
//
// Where that cannot be had (other mappings may write to the same bytes, or so many stores meet the protection that it does not
// pay), the page is *checked*: it stays among the exposed ones, and its TBs are compared with memory where the guest asks for it,
// as exposed_pages.h has it of provisional ones.
//
// gone() is for the end of a mapping, or of the right to execute it. The map says so before. Who then marks the page sees the map
// as it is now, in watch(); who marked it before is found here, and what it makes is not published. Whether the page is checked ends
// in the same critical section in which `writes` moves on: who claims it later asks for its kind anew.
#include "accel/tcg/blocks/page_blocks.h"
#include "accel/tcg/blocks/page_map.h"

namespace weft::accel {

bool PageMap::watch(CodePage& page) {
    CodePageInfo info{};
    user_->fetch(user_->opaque, page.ram_offset, &info);
    switch (info.kind) {
        case CodePageKind::unmapped:
        case CodePageKind::no_exec:
            return false;
        case CodePageKind::private_:
            if (!is_checked(page) && !user_->protect(user_->opaque, page.ram_offset)) {
                check_from_now_on(page);
            }
            return true;
        case CodePageKind::shared:
        case CodePageKind::hot:
            check_from_now_on(page);
            return true;
    }
    return false;
}

bool PageMap::is_checked(CodePage& page) const {
    SpinLockGuard guard(page.lock);
    return page.checked;
}

void PageMap::check_from_now_on(CodePage& page) {
    SpinLockGuard guard(page.lock);
    if (!page.checked) {
        page.checked = true;
        page.protections.fetch_add(1, std::memory_order_seq_cst);
        exposed_.add(page);
    }
}

bool PageMap::gone(uint64_t start, uint64_t end) {
    bool any = false;
    states_.for_marked(start, end, [&](CodePage& page) {
        any = true;
        changed(page, page.ram_offset, kPageSize, Mapping::ends);
    });
    return any;
}

void PageMap::recheck(uint64_t start, uint64_t end) {
    if (exposed_.any()) {
        states_.for_marked(start, end, [this](CodePage& page) {
            if (is_checked(page)) {
                recheck(page);
            }
        });
    }
}

}  // namespace weft::accel
