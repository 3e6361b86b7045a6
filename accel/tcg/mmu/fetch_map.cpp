#include "accel/tcg/mmu/fetch_map.h"

namespace weft::accel {

void FetchMap::clear() {
    entries_->fill(Entry{});
    mappings_.clear();
    contexts_.clear();
}

Fetched FetchMap::flush(const TlbFlush& flush) {
    if (flush.all_addresses) {
        // Those of these address spaces; what is mapped in all of them alike stays, as it may (RISC-V privileged, 12.2.1).
        spaces_.renew_ids(flush.asid);
        return Fetched::anywhere;
    }
    const unsigned shift = mappings_.largest_at(flush.vaddr);
    if (shift == 0) {
        return Fetched::nowhere;
    }
    for (Entry& entry : *entries_) {
        if ((entry.vpage ^ flush.vaddr) >> shift == 0) {
            entry = {};
        }
    }
    return shift == kPageBits ? Fetched::page : Fetched::anywhere;
}

}  // namespace weft::accel
