#include "tcg/code/slot_numbers.h"

namespace weft::tcg {

std::optional<unsigned> SlotNumbers::claim() {
    uint64_t top = released_.load(std::memory_order_seq_cst);
    while (static_cast<uint32_t>(top) != 0) {
        const auto slot = static_cast<uint32_t>(top) - 1;
        // May be stale where another thread took the slot meanwhile; the count in the top then refuses the
        // exchange.
        const uint64_t below = next_released_[slot].load(std::memory_order_seq_cst);
        const uint64_t changes = (top >> 32) + 1;
        if (released_.compare_exchange_weak(top, changes << 32 | below, std::memory_order_seq_cst)) {
            return slot;
        }
    }
    const uint64_t slot = claimed_.fetch_add(1, std::memory_order_seq_cst);
    return slot < count_ ? std::optional(static_cast<unsigned>(slot)) : std::nullopt;
}

void SlotNumbers::release(unsigned slot) {
    uint64_t top = released_.load(std::memory_order_seq_cst);
    uint64_t changed;
    do {
        next_released_[slot].store(static_cast<uint32_t>(top), std::memory_order_seq_cst);
        changed = ((top >> 32) + 1) << 32 | (slot + 1);
    } while (!released_.compare_exchange_weak(top, changed, std::memory_order_seq_cst));
}

}  // namespace weft::tcg
