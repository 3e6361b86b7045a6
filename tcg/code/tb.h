// The descriptor of a translation block (TB): what weft knows about a piece of generated code. It lives in
// ordinary memory beside the code (see tb_slab.h), since a store to a line that is being executed is slow.
#pragma once

#include <atomic>
#include <boost/intrusive/set_hook.hpp>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/cache_line.h"
#include "base/spin_lock.h"
#include "tcg/backend.h"
#include "tcg/code/code_address.h"

namespace weft::tcg {

struct TranslationBlock;

// Number of a region in its buffer.
using RegionId = uint32_t;

// Names a unit in generated code and in exits (Compiler::compile's unit_index): the region's number above
// `index_bits` bits of the unit's number within it.
using UnitIndex = uint32_t;
inline constexpr UnitIndex kNoUnit = ~UnitIndex{0};

struct UnitIndexLayout {
    unsigned index_bits;  // 20 to 28 for up to 4096 regions

    // As many bits for units as the number of regions leaves.
    static UnitIndexLayout for_regions(unsigned count);

    UnitIndex make(RegionId region, uint32_t index) const { return region << index_bits | index; }
    RegionId region(UnitIndex unit) const { return static_cast<RegionId>(uint64_t{unit} >> index_bits); }
    uint32_t index(UnitIndex unit) const {
        return static_cast<uint32_t>(unit & ((uint64_t{1} << index_bits) - 1));
    }
    // Units a region can have; leaves kNoUnit out.
    uint32_t max_units() const { return static_cast<uint32_t>((uint64_t{1} << index_bits) - 1); }
};

inline constexpr uint64_t kGuestPageSize = 4096;
// In place of a second page.
inline constexpr uint64_t kNoPage = ~uint64_t{0};

// What a translation depends on besides its bytes; two TBs in the hash table never have equal keys.
struct TbKey {
    uint64_t
        start;  // in the machine's space of RAM pages: the page's ram_offset plus the offset within the page
    uint64_t page1;     // ram_offset of the second page that an instruction reaches into, or kNoPage
    uint64_t tb_flags;  // GuestArch::tb_flags

    uint64_t page0() const { return start & ~(kGuestPageSize - 1); }
    uint32_t page_offset() const { return static_cast<uint32_t>(start & (kGuestPageSize - 1)); }
    bool operator==(const TbKey&) const = default;
};

// Bits of TranslationBlock::state.
enum TbState : uint32_t {
    // Never cleared: nobody finds, links or (after leaving it) enters the TB any more.
    kTbInvalid = 1u << 0,
    // The page's protection may not have reached every vCPU when it was translated: saved_bytes decide.
    kTbProvisional = 1u << 1,
    // Was never in the hash table: single use.
    kTbUnhashed = 1u << 2,
    // Never cleared, follows kTbInvalid: nobody finds it or jumps to it any more, and every vCPU was asked to drop it.
    kTbWithdrawn = 1u << 3,
};

// One goto_tb of a TB: where it leads, and its place in that TB's list of those who jump to it.
struct OutgoingJump {
    // In `destination`: no TB, and none may be linked any more, since the source is going.
    static constexpr uintptr_t kClosed = 1;

    JumpSite site;             // constant
    TranslationBlock* source;  // constant
    // The TB linked to, 0, or with kClosed set. Set from 0 by compare-and-swap while holding the
    // destination's `jump_lock`; kClosed is set by whoever invalidates the source. Sequentially consistent: a
    // linker and an invalidator of the source must see one another.
    std::atomic<uintptr_t> destination;
    // Guarded by the destination's jump_lock.
    OutgoingJump* next;
    OutgoingJump** previous_next;  // what points to this: O(1) removal

    // Into and out of the list that starts at `head`; the lock that guards the list is held.
    void link_into(OutgoingJump** head);
    void unlink();
};

// A TB's place in the list of one guest page. Guarded by the page's lock.
struct PageLink {
    TranslationBlock* tb;  // constant
    PageLink* next;
    PageLink** previous_next;

    void link_into(PageLink** head);
    void unlink();
    bool linked() const { return previous_next != nullptr; }
};

// Life: made by a CodeContext from a compiled unit (one thread), published by insertion into the tree and the
// hash table, invalidated under its pages' locks, and reclaimed with its region, when everybody who could
// know it has passed a quiescent point. Who holds a pointer is between two quiescent points or keeps the
// region from being reused.
//
// "Constant": written by the maker before publication, never again; publication (tree lock, hash table)
// orders it.
struct alignas(kCacheLine) TranslationBlock {
    // --- First line: what lookups compare and use. Constant but for `state` and `used_in`.
    TbKey key;
    RxAddress code;  // entry and lowest address of the unit
    // TbState bits. Set by fetch_or (seq_cst) under the pages' locks, kTbProvisional cleared the same way.
    // Read by lookups (acquire; pairs with the fetch_or): a set kTbInvalid may be missed only by those who
    // are told otherwise (drop queues, see docs/concurrency.md).
    std::atomic<uint32_t> state;
    uint32_t code_size;  // bytes
    UnitIndex unit_index;
    uint32_t
        generation;  // of its region when it was made: a different one there now means that this TB is gone
    RegionId region;
    uint32_t hash;        // of the key, in the hash table
    uint16_t guest_size;  // bytes of guest code
    uint16_t insn_count;
    uint8_t jump_count;
    // The round in which a look-up found it last (see RegionAllocator::note_use). Relaxed: it orders nothing.
    std::atomic<uint16_t> used_in;

    // --- Second line: links and restoring.
    // Guards `incoming` and, with it, the links of the jumps in that list. Held for a list operation and the
    // patch of a jump; no other lock is taken under it.
    SpinLock jump_lock;
    uint32_t insn_table_size;    // constant
    const uint8_t* insn_table;   // constant; see insn_table.h
    OutgoingJump* jumps;         // constant array of jump_count
    OutgoingJump* incoming;      // who jumps here; guarded by jump_lock
    const uint8_t* saved_bytes;  // constant; guest_size bytes as they were translated, or null
    // Guarded by the region's tree lock.
    boost::intrusive::set_member_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>> tree_hook;

    // --- Third line.
    PageLink page_links[2];  // in page0's list and, where there is a second page, in page1's
    uint64_t pc;             // guest's virtual address that it was translated at, for people; constant

    std::span<OutgoingJump> jump_span() const { return {jumps, jump_count}; }
    std::span<const uint8_t> insn_table_bytes() const { return {insn_table, insn_table_size}; }
    bool invalid() const { return (state.load(std::memory_order_acquire) & kTbInvalid) != 0; }
};

}  // namespace weft::tcg
