// The pages that a vCPU fetched instructions from lately, by their virtual addresses.
//
// All of it belongs to the thread that runs the vCPU.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "accel/tcg/mmu/address_spaces.h"
#include "accel/tcg/mmu/fetch_contexts.h"
#include "accel/tcg/mmu/guest_memory.h"
#include "accel/tcg/mmu/page_filter.h"
#include "weft/guest.h"

namespace weft::accel {

class FetchMap {
  public:
    explicit FetchMap(AddressSpaces& spaces)
        : spaces_(spaces), entries_(std::make_unique<std::array<Entry, kEntries>>()) {}

    // The page of `pc` as it is fetched from in `mode` now; null where that is not known.
    const FetchPage* find(uint64_t pc, unsigned mode) const {
        const Entry& entry = (*entries_)[place(pc)];
        return entry.vpage == page_of(pc) &&
                       (entry.space == space_of(mode) ||
                        (spaces_.shares_mappings(mode) && entry.space == common_space(mode)))
                   ? &entry.page
                   : nullptr;
    }
    // Notes that the guest's tables were asked for it. True: pcs of this mode meant the same in all address spaces up to
    // now, and no longer do.
    bool note_walk(uint64_t pc, unsigned mode, const WalkResult& walk) {
        mappings_.note(pc, walk.page_shift);
        return spaces_.shares_mappings(mode) && !walk.global && contexts_.note_own(mode, spaces_.key());
    }
    // Keeps what the walk led to. `page.paddr` is the page's.
    void insert(uint64_t pc, unsigned mode, const WalkResult& walk, const FetchPage& page) {
        const bool common = spaces_.shares_mappings(mode) && walk.global;
        (*entries_)[place(pc)] = Entry{page_of(pc), common ? common_space(mode) : space_of(mode), page};
    }

    // What, besides the TB flags, the meaning of a pc in `mode` depends on now: the current address space, none, or
    // kGlobalMappings.
    static constexpr AddressSpaceKey kGlobalMappings{~uint64_t{0}, ~uint32_t{0}};
    AddressSpaceKey context(unsigned mode) const {
        if (!spaces_.depends_on_space(mode)) {
            return {};
        }
        return spaces_.shares_mappings(mode) && !contexts_.own(mode, spaces_.key()) ? kGlobalMappings
                                                                                    : spaces_.key();
    }

    // Forgets what a flush names, which is not a flush of everything.
    Fetched flush(const TlbFlush& flush);
    void clear();

  private:
    static constexpr unsigned kEntries = 256;

    // Direct-mapped by virtual page.
    struct Entry {
        uint64_t vpage;
        uint64_t space;  // as space_of() or common_space() says; 0: empty
        FetchPage page;
    };

    static uint64_t page_of(uint64_t pc) { return pc & ~(kPageSize - 1); }
    static size_t place(uint64_t pc) { return pc >> kPageBits & (kEntries - 1); }
    // AddressSpaces::id() and MMU mode; id 0 stands for all address spaces.
    static constexpr uint64_t space(uint64_t id, unsigned mode) { return id << 4 | 8u | mode; }
    static constexpr uint64_t common_space(unsigned mode) { return space(0, mode); }
    uint64_t space_of(unsigned mode) const {
        return spaces_.depends_on_space(mode) ? space(spaces_.id(), mode) : common_space(mode);
    }

    AddressSpaces& spaces_;
    const std::unique_ptr<std::array<Entry, kEntries>> entries_;
    // Mappings that instructions were fetched through since everything was forgotten.
    PageFilter mappings_;
    FetchContexts contexts_;
};

}  // namespace weft::accel
