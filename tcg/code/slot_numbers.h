// Numbers of context slots: claimed by one atomic increment, or taken from the stack of those that were released.
//
// Lock-free. tests/models/slots.pml is its model.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

namespace weft::tcg {

class SlotNumbers {
  public:
    explicit SlotNumbers(unsigned count)
        : count_(count), next_released_(std::make_unique<std::atomic<uint32_t>[]>(count)) {}
    SlotNumbers(const SlotNumbers&) = delete;
    SlotNumbers& operator=(const SlotNumbers&) = delete;

    unsigned count() const { return count_; }
    // Whether claim() was never called.
    bool untouched() const { return claimed_.load(std::memory_order_relaxed) == 0; }

    // A number below count() that nobody has; nullopt where all are taken. Any thread.
    std::optional<unsigned> claim();
    // The owner's.
    void release(unsigned slot);

  private:
    const unsigned count_;
    // Slots given out so far: each claim takes the next number with one increment. May pass count_ by
    // failed claims.
    std::atomic<uint64_t> claimed_{0};
    // Stack of released slots: number + 1 of the top (0: empty), and above it a count of changes against ABA.
    // Sequentially consistent compare-and-swap by any thread; next_released_[i] is the number + 1 below slot
    // i.
    std::atomic<uint64_t> released_{0};
    std::unique_ptr<std::atomic<uint32_t>[]> next_released_;
};

}  // namespace weft::tcg
