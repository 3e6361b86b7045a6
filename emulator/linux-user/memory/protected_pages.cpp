#include "emulator/linux-user/memory/protected_pages.h"

namespace weft::user {

uint64_t ProtectedPages::next(uint64_t start, uint64_t end) const {
    const auto found = pages_.lower_bound(start);
    return found != pages_.end() && *found < end ? *found : end;
}

uint64_t ProtectedPages::run_end(uint64_t page, uint64_t end) const {
    for (auto at = pages_.find(page); at != pages_.end() && *at == page && page < end; ++at) {
        page += host_page_;
    }
    return page < end ? page : end;
}

uint64_t ProtectedPages::run_start(uint64_t page) const {
    for (auto at = pages_.find(page); at != pages_.begin() && *--at == page - host_page_;) {
        page -= host_page_;
    }
    return page;
}

void ProtectedPages::erase(uint64_t start, uint64_t end) {
    pages_.erase(pages_.lower_bound(start), pages_.lower_bound(end));
}

bool WriteFaults::count(uint64_t page, uint64_t now) {
    Row& row = rows_[page % rows_.size()];
    if (row.page != page || now - row.since > kWindow) {
        row = {.page = page, .since = now, .count = 0};
    }
    return ++row.count > kMost;
}

}  // namespace weft::user
