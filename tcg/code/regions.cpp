#include "tcg/code/regions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/bits.h"
#include "base/host_info.h"

namespace weft::tcg {

namespace {

constexpr size_t kPrologueAlignment = 64;

// Units are never smaller than their alignment, which bounds how many descriptors a region can need.
uint32_t max_units(const UnitIndexLayout& indices, size_t region_size) {
    return static_cast<uint32_t>(std::min<size_t>(indices.max_units(), region_size / kUnitAlignment));
}

}  // namespace

// --- RegionAllocator: creation

RegionAllocator::RegionAllocator(const CodeBuffer& buffer, const RegionLayout& layout, unsigned slots,
                                 const HostCalls& calls, bool pages_ahead)
    : buffer_(buffer),
      layout_(layout),
      unit_indices_(UnitIndexLayout::for_regions(layout.count)),
      slots_taken_(slots),
      trees_(buffer, layout),
      slots_(std::make_unique<std::atomic<CodeContext*>[]>(slots)),
      status_(layout.count),
      victims_(layout.count) {
    records_.reserve(layout.count);
    for (RegionId id = 0; id < layout.count; ++id) {
        const RegionLayout::Range range = layout.region(id);
        records_.push_back(
            std::make_unique<RegionRecord>(id, max_units(unit_indices_, range.size()), calls, pages_ahead));
        records_.back()->range = range;
    }
    // As long as these have their space, taking a region and letting go of one allocate nothing.
    MutexLock lock(lock_);
    reusable_.reserve(layout.count);
    parked_.reserve(slots);
    note_spare();
}

RegionAllocator::~RegionAllocator() {
    for (unsigned slot = 0; slot < slot_count(); ++slot) {
        WEFT_ASSERT(context(slot) == nullptr);
    }
}

Result<std::unique_ptr<RegionAllocator>> RegionAllocator::create(const CodeBuffer& buffer,
                                                                 RegionLayoutRequest request,
                                                                 const HostCalls& calls, bool pages_ahead) {
    request.size = buffer.size();
    request.prologue = 0;
    request.page_size = host_page_size();
    std::unique_ptr<RegionAllocator> allocator(
        new RegionAllocator(buffer, lay_out_regions(request), request.contexts, calls, pages_ahead));
    if (auto opened = allocator->open_regions(); !opened) {
        return std::unexpected(opened.error());
    }
    return allocator;
}

Result<> RegionAllocator::open_regions() {
    if (layout_.guards == GuardPages::buffer_end) {
        // In one step: there are hundreds of regions, and a process is to start soon.
        if (auto opened = buffer_.open(0, layout_.size); !opened) {
            return std::unexpected(opened.error().within("the code regions"));
        }
        const RegionLayout::Range guard = layout_.guard(layout_.count - 1);
        buffer_.guard(guard.start, guard.size());
        return {};
    }
    for (RegionId id = 0; id < layout_.count; ++id) {
        const RegionLayout::Range pages = layout_.pages(id);
        if (auto opened = buffer_.open(pages.start, pages.size()); !opened) {
            return std::unexpected(
                opened.error().within(fmt::format("code region {} of {}", id + 1, layout_.count)));
        }
        if (const RegionLayout::Range guard = layout_.guard(id); guard.size() != 0) {
            buffer_.guard(guard.start, guard.size());
        }
    }
    return {};
}

Result<> RegionAllocator::unshare() {
    if (Result<> done = buffer_.unshare(layout_.prologue); !done) {
        return done;
    }
    return open_regions();
}

CodeWindow RegionAllocator::runtime_window() const {
    return buffer_.window(0, layout_.pages(0).size() - kHighwaterMargin);
}

void RegionAllocator::runtime_emitted(size_t bytes) {
    WEFT_ASSERT(slots_taken_.untouched());
    layout_.prologue = align_up(bytes, kPrologueAlignment);
    records_[0]->range = layout_.region(0);
    WEFT_ASSERT(records_[0]->range.size() > kHighwaterMargin);
}

// --- Slots

Result<std::unique_ptr<CodeContext>> RegionAllocator::claim() {
    const std::optional<unsigned> slot = slots_taken_.claim();
    if (!slot) {
        return fail(fmt::format("all {} slots for translation contexts are taken", slot_count()));
    }
    std::unique_ptr<CodeContext> context(new CodeContext(*this, *slot));
    publish(*context);
    return context;
}

void RegionAllocator::publish(CodeContext& context) {
    MutexLock lock(lock_);
    context.region_ = Region(this, take_first());
    ++leases_;
    note_spare();
    // release; pairs with the acquire in context().
    slots_[context.slot_].store(&context, std::memory_order_release);
}

void RegionAllocator::withdraw(CodeContext& context) {
    {
        MutexLock lock(lock_);
        slots_[context.slot_].store(nullptr, std::memory_order_release);
        park_locked(*std::exchange(context.region_.record_, nullptr));
    }
    // Last: from here on the slot can have another owner.
    slots_taken_.release(context.slot_);
}

// --- Regions

unsigned RegionAllocator::free_count() const {
    return layout_.count - next_ + static_cast<unsigned>(reusable_.size());
}

// The rest is kept back: a slot without a context finds a region, parked or free.
unsigned RegionAllocator::spare_count() const {
    const auto kept_back = static_cast<unsigned>(slot_count() - leases_ - parked_.size());
    const unsigned free = free_count();
    return free > kept_back ? free - kept_back : 0;
}

void RegionAllocator::note_spare() { spare_.store(spare_count(), std::memory_order_relaxed); }

RegionRecord* RegionAllocator::take_free() {
    RegionId id;
    if (next_ < layout_.count) {
        id = next_++;
    } else {
        id = reusable_.back();
        reusable_.pop_back();
    }
    WEFT_ASSERT(status_[id].state == State::free);
    status_[id] = {State::leased, true, ++sequence_};
    records_[id]->code_pages.restart(align_down(records_[id]->range.start, layout_.page_size));
    return records_[id].get();
}

// Cannot fail: free and parked regions together are never fewer than slots without a region, by
// switch_region() and because a context that goes leaves its region parked.
RegionRecord* RegionAllocator::take_first() {
    if (parked_.empty()) {
        WEFT_ASSERT(free_count() != 0);
        return take_free();
    }
    const RegionId id = parked_.back();
    parked_.pop_back();
    status_[id].state = State::leased;
    aggregate_ -= records_[id]->used.load(std::memory_order_relaxed);
    return records_[id].get();
}

bool RegionAllocator::switch_region(CodeContext& context) {
    const RegionId full = context.region_.id();
    {
        MutexLock lock(lock_);
        if (spare_count() == 0) {
            return false;
        }
        status_[full].state = State::full;
        aggregate_ += full_size(full);
        context.region_.record_ = take_free();
        context.last_ = nullptr;
        note_spare();
    }
    if (full == 0) {
        buffer_.gather_first();
    }
    return true;
}

void RegionAllocator::park(RegionRecord& record) {
    MutexLock lock(lock_);
    park_locked(record);
}

void RegionAllocator::park_locked(RegionRecord& record) {
    status_[record.id].state = State::parked;
    aggregate_ += record.used.load(std::memory_order_relaxed);
    parked_.push_back(record.id);
    --leases_;
    note_spare();
}

size_t RegionAllocator::full_size(RegionId region) const {
    return records_[region]->range.size() - kHighwaterMargin;
}

std::vector<RegionInfo> RegionAllocator::describe() const {
    static constexpr const char* kNames[] = {"free", "leased", "parked", "full", "retired"};
    std::vector<RegionInfo> regions;
    MutexLock lock(lock_);
    for (RegionId id = 0; id < layout_.count; ++id) {
        const State state = status_[id].state;
        const bool empty = state == State::free || state == State::retired;
        const size_t used = empty ? 0 : records_[id]->used.load(std::memory_order_relaxed);
        regions.push_back({kNames[static_cast<size_t>(state)], used, full_size(id)});
    }
    return regions;
}

size_t RegionAllocator::code_size() const {
    MutexLock lock(lock_);
    size_t total = aggregate_;
    for (unsigned slot = 0; slot < slot_count(); ++slot) {
        if (const CodeContext* owner = context(slot)) {
            total += owner->region_.used();
        }
    }
    return total;
}

unsigned RegionAllocator::free_regions() const {
    MutexLock lock(lock_);
    return free_count();
}

// --- Emptying

// Everything but the region's status, which is the caller's under the lock. Nobody else touches the region.
void RegionAllocator::empty(RegionId region) {
    RegionRecord& record = *records_[region];
    trees_.clear(region);
    record.slab.reset();
    record.used.store(0, std::memory_order_relaxed);
    record.found.store(0, std::memory_order_relaxed);
    record.warmth = 0;
    const size_t start = align_up(record.range.start, layout_.page_size);
    // Memory that the host does not take back is written over.
    if (start < record.range.end) {
        static_cast<void>(buffer_.discard(start, record.range.end - start));
    }
}

void RegionAllocator::reset_all() {
    MutexLock lock(lock_);
    for (RegionId id = 0; id < layout_.count; ++id) {
        records_[id]->generation.fetch_add(1, std::memory_order_seq_cst);
        if (status_[id].written) {
            empty(id);
        }
        status_[id] = {};
    }
    next_ = 0;
    reusable_.clear();
    parked_.clear();
    leases_ = 0;
    aggregate_ = 0;
    for (unsigned slot = 0; slot < slot_count(); ++slot) {
        if (CodeContext* owner = context(slot)) {
            owner->region_.record_ = take_free();
            owner->last_ = nullptr;
            ++leases_;
        }
    }
    note_spare();
}

std::optional<RegionId> RegionAllocator::choose_victim() {
    MutexLock lock(lock_);
    victims_.begin();
    for (RegionId id = 0; id < layout_.count; ++id) {
        victims_.offer(*records_[id], status_[id].state == State::full, status_[id].sequence);
    }
    return victims_.end();
}

std::optional<RetiredRegion> RegionAllocator::retire(RegionId region) {
    MutexLock lock(lock_);
    if (region >= layout_.count || status_[region].state != State::full) {
        return std::nullopt;
    }
    status_[region].state = State::retired;
    aggregate_ -= full_size(region);
    const uint32_t generation = records_[region]->generation.fetch_add(1, std::memory_order_seq_cst) + 1;
    return RetiredRegion{region, generation};
}

bool RegionAllocator::reuse(RetiredRegion retired) {
    MutexLock lock(lock_);
    if (status_[retired.id].state != State::retired || generation(retired.id) != retired.generation) {
        return false;
    }
    // Under the lock, which keeps a reset_all() from doing the same; giving back a region takes microseconds.
    empty(retired.id);
    status_[retired.id] = {};
    reusable_.push_back(retired.id);
    note_spare();
    return true;
}

}  // namespace weft::tcg
