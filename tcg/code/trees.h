// Which TB a host pc lies in: one search tree a region, each with its own lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "tcg/code/code_buffer.h"
#include "tcg/code/sizing.h"
#include "tcg/code/tb.h"

namespace weft::tcg {

// All functions: any thread. Each holds one tree's lock at a time and calls nothing that takes another lock.
//
// A signal handler may call find(): only with a pc inside generated code, and then its thread was running
// that code and holds no tree's lock.
class RegionTrees {
  public:
    // `buffer` outlives it.
    RegionTrees(const CodeBuffer& buffer, const RegionLayout& layout);
    ~RegionTrees();
    RegionTrees(const RegionTrees&) = delete;
    RegionTrees& operator=(const RegionTrees&) = delete;

    // By its host code range [code, code + code_size), which overlaps no other TB's in the trees.
    void insert(TranslationBlock& tb);
    // It is in its tree.
    void remove(TranslationBlock& tb);

    // The TB whose host code contains this address, which may be of either view; null outside the buffer and
    // between TBs. A return address of a call may lie one past its instruction: subtract one first.
    TranslationBlock* find(uintptr_t host_pc) const;

    // Calls `visitor` for each TB, region by region, in order of addresses, under the tree's lock: it takes
    // no other lock and calls nothing here.
    void visit(const std::function<void(TranslationBlock&)>& visitor) const;
    void visit_region(RegionId region, const std::function<void(TranslationBlock&)>& visitor) const;

    // TBs in all trees; a sum of moments while others insert and remove.
    size_t count() const;

    // Forgets the region's TBs without touching them.
    void clear(RegionId region);

  private:
    struct Tree;
    Tree& tree_of(const TranslationBlock& tb) const;
    Tree& tree_at(size_t offset) const;

    const CodeBuffer& buffer_;
    const RegionLayout layout_;
    std::unique_ptr<Tree[]> trees_;
};

}  // namespace weft::tcg
