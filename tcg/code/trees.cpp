#include "tcg/code/trees.h"

#include <boost/intrusive/set.hpp>

#include "base/assert.h"
#include "base/cache_line.h"
#include "base/spin_lock.h"

namespace weft::tcg {

namespace {

struct CodeOf {
    using type = RxAddress;
    RxAddress operator()(const TranslationBlock& tb) const { return tb.code; }
};

using TbSet = boost::intrusive::set<
    TranslationBlock,
    boost::intrusive::member_hook<
        TranslationBlock,
        boost::intrusive::set_member_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>>,
        &TranslationBlock::tree_hook>,
    boost::intrusive::key_of_value<CodeOf>>;

}  // namespace

// Alone on its cache lines: neighbouring regions are other threads'.
struct alignas(kCacheLine) RegionTrees::Tree {
    mutable SpinLock lock;
    TbSet set WEFT_GUARDED_BY(lock);
};

RegionTrees::RegionTrees(const CodeBuffer& buffer, const RegionLayout& layout)
    : buffer_(buffer), layout_(layout), trees_(std::make_unique<Tree[]>(layout.count)) {}

RegionTrees::~RegionTrees() = default;

RegionTrees::Tree& RegionTrees::tree_at(size_t offset) const { return trees_[layout_.region_of(offset)]; }

RegionTrees::Tree& RegionTrees::tree_of(const TranslationBlock& tb) const {
    const std::optional<size_t> offset = buffer_.offset_of(tb.code.value());
    WEFT_ASSERT(offset.has_value());
    return tree_at(*offset);
}

void RegionTrees::insert(TranslationBlock& tb) {
    Tree& tree = tree_of(tb);
    SpinLockGuard guard(tree.lock);
    // A region is filled upwards: a new TB is the last one, and needs no search.
    const auto place = tree.set.insert(tree.set.end(), tb);
    WEFT_ASSERT(&*place == &tb);
}

void RegionTrees::remove(TranslationBlock& tb) {
    Tree& tree = tree_of(tb);
    SpinLockGuard guard(tree.lock);
    tree.set.erase(tree.set.iterator_to(tb));
}

TranslationBlock* RegionTrees::find(uintptr_t host_pc) const {
    const std::optional<size_t> offset = buffer_.offset_of(host_pc);
    if (!offset) {
        return nullptr;
    }
    const RxAddress address = buffer_.rx() + *offset;
    Tree& tree = tree_at(*offset);
    SpinLockGuard guard(tree.lock);
    auto after = tree.set.upper_bound(address);
    if (after == tree.set.begin()) {
        return nullptr;
    }
    TranslationBlock& tb = *--after;
    return address < tb.code + tb.code_size ? &tb : nullptr;
}

void RegionTrees::visit_region(RegionId region, const std::function<void(TranslationBlock&)>& visitor) const {
    Tree& tree = trees_[region];
    SpinLockGuard guard(tree.lock);
    for (TranslationBlock& tb : tree.set) {
        visitor(tb);
    }
}

void RegionTrees::visit(const std::function<void(TranslationBlock&)>& visitor) const {
    for (RegionId region = 0; region < layout_.count; ++region) {
        visit_region(region, visitor);
    }
}

size_t RegionTrees::count() const {
    size_t total = 0;
    for (RegionId region = 0; region < layout_.count; ++region) {
        const Tree& tree = trees_[region];
        SpinLockGuard guard(tree.lock);
        total += tree.set.size();
    }
    return total;
}

void RegionTrees::clear(RegionId region) {
    Tree& tree = trees_[region];
    SpinLockGuard guard(tree.lock);
    tree.set.clear();
}

}  // namespace weft::tcg
