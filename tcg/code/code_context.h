// One translating thread's place in the code buffer, and the making of descriptors there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tcg/backend.h"
#include "tcg/code/code_address.h"
#include "tcg/code/region_record.h"
#include "tcg/code/tb.h"
#include "tcg/code/tb_slab.h"

namespace weft::tcg {

class RegionAllocator;

// Entries of units are aligned to this: a fetch block of the host's decoder.
inline constexpr size_t kUnitAlignment = 16;

// The right to write into one region; move-only, held by one context. Letting go of it parks the region.
class Region {
  public:
    Region() = default;
    Region(Region&& other) noexcept;
    Region& operator=(Region&& other) noexcept;
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;
    ~Region() { release(); }

    explicit operator bool() const { return record_ != nullptr; }
    RegionId id() const { return record_->id; }
    uint32_t generation() const { return record_->generation.load(std::memory_order_acquire); }
    // Bytes of finished units, and what fits besides the highwater margin.
    size_t used() const { return record_->used.load(std::memory_order_relaxed); }
    size_t capacity() const { return record_->range.size() - kHighwaterMargin; }

  private:
    friend class CodeContext;
    friend class RegionAllocator;
    Region(RegionAllocator* allocator, RegionRecord* record) : allocator_(allocator), record_(record) {}
    void release();

    RegionAllocator* allocator_ = nullptr;
    RegionRecord* record_ = nullptr;
};

// What the maker of a TB knows besides its code.
struct BlockInfo {
    TbKey key;
    uint32_t hash;
    uint32_t state;  // TbState bits to begin with
    uint16_t guest_size;
    uint16_t insn_count;
    std::span<const uint8_t> saved_bytes;  // guest_size bytes to keep (for a provisional TB), or none
    uint64_t pc = 0;                       // the guest's virtual address, for people
};

// One translating thread's place in the code buffer: a slot and a region. One thread at a time uses it;
// RegionAllocator replaces its region in reset_all(), when that thread is held.
//
// Making a TB:   window = context.window(); unit = context.next_unit();
//                compile(ir, window, unit, &compiled) == ok      -> tb = context.add(info, compiled)
//                                                == region_full  -> context.next_region(), again
//                trees().insert(*tb), then the hash table; where another thread was first:
//                trees().remove(*tb), context.take_back(tb)
class CodeContext {
  public:
    // Gives the slot back; the region stays as it is, for the next context.
    ~CodeContext();
    CodeContext(const CodeContext&) = delete;
    CodeContext& operator=(const CodeContext&) = delete;

    unsigned slot() const { return slot_; }
    const Region& region() const { return region_; }
    // Nothing was made in the region yet: what does not fit now fits nowhere.
    bool region_empty() const { return region_.used() == 0; }

    // Where the next unit goes: from the region's write cursor (aligned to kUnitAlignment) up to the
    // highwater. The kHighwaterMargin bytes behind the window are the context's too, so that the check may
    // come after a write. Of size 0 when there is no space or no memory for another descriptor: that region
    // is full.
    CodeWindow window();
    // The index of the unit that add() will make next.
    UnitIndex next_unit() const;

    // Makes the descriptor of the unit that was compiled into window() and moves the cursor behind it. Nobody
    // else knows the TB yet, it is in no tree; RegionAllocator::block() finds it from now on. Null where the
    // host has no memory for its tables: nothing has changed, treat it as a full region.
    TranslationBlock* add(const BlockInfo& info, const CompiledUnit& compiled);
    // Undoes the last add(), whose TB nobody else has seen and no tree holds.
    void take_back(TranslationBlock* tb);

    // Leaves the region and goes on in the next. False, with nothing changed: no region is left (evict or
    // flush).
    bool next_region();

  private:
    friend class RegionAllocator;
    CodeContext(RegionAllocator& allocator, unsigned slot) : allocator_(allocator), slot_(slot) {}

    RegionAllocator& allocator_;
    const unsigned slot_;
    Region region_;
    TbSlab::Mark last_mark_{};  // before the last add()
    size_t last_used_ = 0;      // the same
    TranslationBlock* last_ = nullptr;
};

}  // namespace weft::tcg
