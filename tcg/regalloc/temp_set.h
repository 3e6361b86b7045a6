// A set of a unit's temps: a bit each.
#pragma once

#include <cstdint>
#include <vector>

#include "weft/ir.h"

namespace weft::tcg {

// Two sets are combined only where both were cleared for the same number of temps.
class TempSet {
  public:
    // Nothing is in it. `count`: how many temps there are.
    void clear(uint32_t count) { words_.assign((count + kBits - 1) / kBits, 0); }
    // The first `count` temps, of those that there are, come in.
    void add_first(uint32_t count) {
        for (uint32_t word = 0; word < count / kBits; ++word) {
            words_[word] = ~uint64_t{0};
        }
        if (count % kBits != 0) {
            words_[count / kBits] |= (uint64_t{1} << count % kBits) - 1;
        }
    }

    bool has(ir::TempIndex t) const { return (words_[t / kBits] >> t % kBits & 1) != 0; }
    void add(ir::TempIndex t) { words_[t / kBits] |= bit(t); }
    void remove(ir::TempIndex t) { words_[t / kBits] &= ~bit(t); }
    void add_all(const TempSet& others) {
        for (size_t word = 0; word < words_.size(); ++word) {
            words_[word] |= others.words_[word];
        }
    }
    void become(const TempSet& other) {
        for (size_t word = 0; word < words_.size(); ++word) {
            words_[word] = other.words_[word];
        }
    }

  private:
    static constexpr uint32_t kBits = 64;
    static uint64_t bit(ir::TempIndex t) { return uint64_t{1} << t % kBits; }

    std::vector<uint64_t> words_;
};

}  // namespace weft::tcg
