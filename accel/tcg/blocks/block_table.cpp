#include "accel/tcg/blocks/block_table.h"

#include "base/assert.h"

namespace weft::accel {

using tcg::OutgoingJump;
using tcg::TranslationBlock;

bool BlockTable::may_link(const TranslationBlock& source, uint32_t slot,
                          const TranslationBlock& destination) {
    return slot < source.jump_count && destination.key.page1 == tcg::kNoPage &&
           (destination.state.load(std::memory_order_relaxed) & tcg::kTbUnhashed) == 0 &&
           (source.state.load(std::memory_order_relaxed) & tcg::kTbUnhashed) == 0 &&
           source.key.tb_flags == destination.key.tb_flags &&
           (source.jumps[slot].site.own_entry == 0 || &source == &destination) &&
           source.key.page0() + static_cast<uint64_t>(int64_t{source.jumps[slot].site.pc_offset}) ==
               destination.key.start;
}

bool BlockTable::link(TranslationBlock& source, uint32_t slot, TranslationBlock& destination) {
    OutgoingJump& jump = source.jumps[slot];
    SpinLockGuard guard(destination.jump_lock);
    if (destination.invalid()) {
        return false;
    }
    uintptr_t none = 0;
    if (!jump.destination.compare_exchange_strong(none, reinterpret_cast<uintptr_t>(&destination),
                                                  std::memory_order_seq_cst)) {
        return false;  // linked by another vCPU, or closed
    }
    jump.link_into(&destination.incoming);
    backend_.link(code_of(source), jump.site, code_of(destination));
    return true;
}

bool BlockTable::detach(TranslationBlock& tb) {
    if ((tb.state.fetch_or(tcg::kTbInvalid, std::memory_order_seq_cst) & tcg::kTbInvalid) != 0) {
        // Another thread came by the TB's other page first. It is not enough that it will finish: the caller's vCPU may
        // fence and look for the TB next. It takes none of the locks that the caller holds.
        SpinWait wait;
        while ((tb.state.load(std::memory_order_seq_cst) & tcg::kTbWithdrawn) == 0) {
            wait.once();
        }
        return false;
    }
    table_.remove(tb);
    close_outgoing(tb);
    unlink_incoming(tb);
    return true;
}

void BlockTable::invalidate(TranslationBlock& tb) {
    if (!detach(tb)) {
        return;
    }
    const uint32_t page_offset = tb.key.page_offset();
    const auto code_offset = static_cast<uint32_t>(tb.code - buffer_.rx());
    users_.for_each([&](CodeUser& user) { user.jump_cache.request_drop(page_offset, code_offset); });
    tb.state.fetch_or(tcg::kTbWithdrawn, std::memory_order_seq_cst);
    counters_.invalidations.fetch_add(1, std::memory_order_relaxed);
}

// A linker of one of these jumps holds the destination's lock from its compare-and-swap to its patch: it is seen here,
// and has finished once the lock is ours.
void BlockTable::close_outgoing(TranslationBlock& tb) {
    for (OutgoingJump& jump : tb.jump_span()) {
        const uintptr_t before = jump.destination.fetch_or(OutgoingJump::kClosed, std::memory_order_seq_cst);
        auto* destination = reinterpret_cast<TranslationBlock*>(before & ~OutgoingJump::kClosed);
        if (destination == nullptr) {
            continue;
        }
        SpinLockGuard guard(destination->jump_lock);
        // Else the destination was invalidated meanwhile and has let go of the jump.
        if ((jump.destination.load(std::memory_order_seq_cst) & ~OutgoingJump::kClosed) != 0) {
            jump.unlink();
            jump.destination.store(OutgoingJump::kClosed, std::memory_order_seq_cst);
            backend_.unlink(code_of(tb), jump.site);
        }
    }
}

void BlockTable::unlink_incoming(TranslationBlock& tb) {
    uint64_t count = 0;
    {
        SpinLockGuard guard(tb.jump_lock);
        while (tb.incoming != nullptr) {
            OutgoingJump& jump = *tb.incoming;
            jump.unlink();
            backend_.unlink(code_of(*jump.source), jump.site);
            // Free for another destination, unless its TB is going too.
            jump.destination.fetch_and(OutgoingJump::kClosed, std::memory_order_seq_cst);
            ++count;
        }
    }
    counters_.unlinks.fetch_add(count, std::memory_order_relaxed);
}

}  // namespace weft::accel
