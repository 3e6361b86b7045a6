#include "emulator/linux-user/memory/address_space.h"

#include <algorithm>
#include <memory>

#include "base/assert.h"

namespace weft::user {

AddressSpace::AddressSpace() : version_(new Version) {}

AddressSpace::~AddressSpace() {
    // Nobody reads any more.
    const Version* last = version_.load(std::memory_order_relaxed);
    IntervalEdit::free_tree(last->tree);
    IntervalEdit::free_tree(last->checked);
    delete last;
}

void AddressSpace::publish(IntervalEdit& edit, IntervalEdit& checked, Version* next) noexcept {
    next->tree = edit.tree();
    next->checked = checked.tree();
    const bool writable_code = next->tree.writable_code_bytes() != 0;
    auto* old = const_cast<Version*>(version_.load(std::memory_order_relaxed));
    old->dead = edit.finish();
    old->dead_checked = checked.finish();
    // Release; pairs with the acquires in Reading and generation(). The version first: who sees the new generation finds the
    // new version.
    version_.store(next, std::memory_order_release);
    generation_.store(generation_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    writable_code_.store(writable_code, std::memory_order_release);
    epochs_.retire(&old->retired, &reclaim, old);
    epochs_.poll();
}

void AddressSpace::reclaim(Retired*, void* context) {
    auto* version = static_cast<Version*>(context);
    IntervalEdit::free_chain(version->dead);
    IntervalEdit::free_chain(version->dead_checked);
    delete version;
}

AddressSpace::Change::Change(AddressSpace& space)
    : space_(space),
      edit_(space.version_.load(std::memory_order_relaxed)->tree, ++space.edits_),
      checked_(space.version_.load(std::memory_order_relaxed)->checked, space.edits_),
      next_(new Version),
      outer_(space.open_) {
    WEFT_ASSERT(outer_ == nullptr || !outer_->changed());
    space_.open_ = this;
}

AddressSpace::Change::~Change() {
    space_.open_ = outer_;
    delete next_;
}

void AddressSpace::Change::commit() noexcept {
    if (changed()) {
        space_.publish(edit_, checked_, next_);
        next_ = nullptr;
    }
}

const Lookup::Extent* Lookup::find(uint64_t address) {
    // The generation before the version: a change in between makes the next look read anew.
    const uint64_t generation = space_.generation();
    if (generation == generation_ && last_.start <= address && address < last_.end) {
        return &last_;
    }
    const AddressSpace::Reading reading(space_, reader_);
    const Interval* found = reading.tree().at(address);
    if (found == nullptr || found->attributes.kind == Kind::foreign) {
        return nullptr;
    }
    generation_ = generation;
    last_ = {found->start, found->end, found->attributes.protection, found->attributes.kind,
             found->attributes.shared};
    return &last_;
}

bool Lookup::allows(uint64_t start, uint64_t size, uint8_t protection) {
    if (size > ~uint64_t{0} - start) {
        return false;
    }
    for (uint64_t at = start; at < start + size;) {
        const Extent* extent = find(at);
        if (extent == nullptr || (extent->protection & protection) != protection) {
            return false;
        }
        at = extent->end;
    }
    return true;
}

}  // namespace weft::user
