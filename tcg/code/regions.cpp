#include "tcg/code/regions.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/assert.h"
#include "base/bits.h"
#include "base/host_info.h"
#include "tcg/code/insn_table.h"

namespace weft::tcg {

using detail::RegionRecord;

namespace {

constexpr size_t kPrologueAlignment = 64;

// Units are never smaller than their alignment, which bounds how many descriptors a region can need.
uint32_t max_units(const UnitIndexLayout& indices, size_t region_size) {
    return static_cast<uint32_t>(std::min<size_t>(indices.max_units(), region_size / kUnitAlignment));
}

}  // namespace

// --- Region

Region::Region(Region&& other) noexcept
    : allocator_(other.allocator_), record_(std::exchange(other.record_, nullptr)) {}

Region& Region::operator=(Region&& other) noexcept {
    if (this != &other) {
        release();
        allocator_ = other.allocator_;
        record_ = std::exchange(other.record_, nullptr);
    }
    return *this;
}

void Region::release() {
    if (record_ != nullptr) {
        allocator_->park(*std::exchange(record_, nullptr));
    }
}

// --- CodeContext

CodeContext::~CodeContext() { allocator_.withdraw(*this); }

CodeWindow CodeContext::window() {
    RegionRecord& record = *region_.record_;
    const size_t cursor = std::min(align_up(region_.used(), kUnitAlignment), region_.capacity());
    const size_t size = record.slab.prepare() ? region_.capacity() - cursor : 0;
    return allocator_.buffer_.window(record.range.start + cursor, size);
}

UnitIndex CodeContext::next_unit() const {
    return allocator_.unit_indices_.make(region_.id(), region_.record_->slab.count());
}

TranslationBlock* CodeContext::add(const BlockInfo& info, const CompiledUnit& compiled) {
    RegionRecord& record = *region_.record_;
    const size_t used = region_.used();
    const size_t start = align_up(used, kUnitAlignment);
    WEFT_ASSERT(start + compiled.code_size <= region_.capacity());
    WEFT_ASSERT(info.saved_bytes.empty() || info.saved_bytes.size() == info.guest_size);

    TbSlab& slab = record.slab;
    const UnitIndex unit = next_unit();
    const TbSlab::Mark mark = slab.mark();
    const size_t rows_size = compiled.insns.size() * kMaxEncodedInsnRow;
    auto* jumps = static_cast<OutgoingJump*>(
        slab.allocate(compiled.jump_count * sizeof(OutgoingJump), alignof(OutgoingJump)));
    auto* saved = static_cast<uint8_t*>(slab.allocate(info.saved_bytes.size(), 1));
    auto* rows = static_cast<uint8_t*>(slab.allocate(rows_size, 1));
    if (jumps == nullptr || saved == nullptr || rows == nullptr) {
        slab.rewind(mark);
        return nullptr;
    }
    const size_t table_size = encode_insn_table(compiled.insns, {rows, rows_size});
    slab.shrink_last(rows, table_size);
    std::ranges::copy(info.saved_bytes, saved);

    TranslationBlock* tb = slab.next();
    tb->key = info.key;
    tb->pc = info.pc;
    tb->code = allocator_.buffer_.rx() + record.range.start + start;
    tb->state.store(info.state, std::memory_order_relaxed);
    tb->code_size = compiled.code_size;
    tb->unit_index = unit;
    tb->generation = region_.generation();
    tb->region = record.id;
    tb->hash = info.hash;
    tb->guest_size = info.guest_size;
    tb->insn_count = info.insn_count;
    tb->jump_count = compiled.jump_count;
    tb->insn_table_size = static_cast<uint32_t>(table_size);
    tb->insn_table = rows;
    tb->jumps = jumps;
    tb->saved_bytes = info.saved_bytes.empty() ? nullptr : saved;
    for (unsigned i = 0; i < compiled.jump_count; ++i) {
        auto* jump = new (jumps + i) OutgoingJump{};
        jump->site = compiled.jumps[i];
        jump->source = tb;
    }
    for (PageLink& link : tb->page_links) {
        link.tb = tb;
    }
    slab.publish();
    last_ = tb;
    last_mark_ = mark;
    last_used_ = used;
    record.used.store(start + compiled.code_size, std::memory_order_relaxed);
    return tb;
}

void CodeContext::take_back(TranslationBlock* tb) {
    WEFT_ASSERT(tb != nullptr && tb == last_);
    region_.record_->slab.take_back(last_mark_);
    region_.record_->used.store(last_used_, std::memory_order_relaxed);
    last_ = nullptr;
}

bool CodeContext::next_region() { return allocator_.switch_region(*this); }

// --- RegionAllocator: creation

RegionAllocator::RegionAllocator(const CodeBuffer& buffer, const RegionLayout& layout, unsigned slots,
                                 const HostCalls& calls)
    : buffer_(buffer),
      layout_(layout),
      unit_indices_(UnitIndexLayout::for_regions(layout.count)),
      slot_count_(slots),
      trees_(buffer, layout),
      next_released_(std::make_unique<std::atomic<uint32_t>[]>(slots)),
      slots_(std::make_unique<std::atomic<CodeContext*>[]>(slots)),
      status_(layout.count) {
    records_.reserve(layout.count);
    for (RegionId id = 0; id < layout.count; ++id) {
        const RegionLayout::Range range = layout.region(id);
        records_.push_back(std::make_unique<RegionRecord>(id, max_units(unit_indices_, range.size()), calls));
        records_.back()->range = range;
    }
    // As long as these have their space, taking a region and letting go of one allocate nothing.
    MutexLock lock(lock_);
    reusable_.reserve(layout.count);
    candidates_.reserve(layout.count);
    parked_.reserve(slots);
    note_spare();
}

RegionAllocator::~RegionAllocator() {
    for (unsigned slot = 0; slot < slot_count_; ++slot) {
        WEFT_ASSERT(context(slot) == nullptr);
    }
}

Result<std::unique_ptr<RegionAllocator>> RegionAllocator::create(const CodeBuffer& buffer,
                                                                 RegionLayoutRequest request,
                                                                 const HostCalls& calls) {
    request.size = buffer.size();
    request.prologue = 0;
    request.page_size = host_page_size();
    std::unique_ptr<RegionAllocator> allocator(
        new RegionAllocator(buffer, lay_out_regions(request), request.contexts, calls));
    if (auto opened = allocator->open_regions(); !opened) {
        return std::unexpected(opened.error());
    }
    return allocator;
}

Result<> RegionAllocator::open_regions() {
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

CodeWindow RegionAllocator::runtime_window() const {
    return buffer_.window(0, layout_.pages(0).size() - kHighwaterMargin);
}

void RegionAllocator::runtime_emitted(size_t bytes) {
    WEFT_ASSERT(claimed_.load(std::memory_order_relaxed) == 0);
    layout_.prologue = align_up(bytes, kPrologueAlignment);
    records_[0]->range = layout_.region(0);
    WEFT_ASSERT(records_[0]->range.size() > kHighwaterMargin);
}

// --- Slots

std::optional<unsigned> RegionAllocator::claim_slot() {
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
    return slot < slot_count_ ? std::optional(static_cast<unsigned>(slot)) : std::nullopt;
}

void RegionAllocator::release_slot(unsigned slot) {
    uint64_t top = released_.load(std::memory_order_seq_cst);
    uint64_t changed;
    do {
        next_released_[slot].store(static_cast<uint32_t>(top), std::memory_order_seq_cst);
        changed = ((top >> 32) + 1) << 32 | (slot + 1);
    } while (!released_.compare_exchange_weak(top, changed, std::memory_order_seq_cst));
}

Result<std::unique_ptr<CodeContext>> RegionAllocator::claim() {
    const std::optional<unsigned> slot = claim_slot();
    if (!slot) {
        return fail(fmt::format("all {} slots for translation contexts are taken", slot_count_));
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
    release_slot(context.slot_);
}

// --- Regions

unsigned RegionAllocator::free_count() const {
    return layout_.count - next_ + static_cast<unsigned>(reusable_.size());
}

// The rest is kept back: a slot without a context finds a region, parked or free.
unsigned RegionAllocator::spare_count() const {
    const auto kept_back = static_cast<unsigned>(slot_count_ - leases_ - parked_.size());
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
    MutexLock lock(lock_);
    if (spare_count() == 0) {
        return false;
    }
    const RegionId full = context.region_.id();
    status_[full].state = State::full;
    aggregate_ += full_size(full);
    context.region_.record_ = take_free();
    context.last_ = nullptr;
    note_spare();
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
    for (unsigned slot = 0; slot < slot_count_; ++slot) {
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
    for (unsigned slot = 0; slot < slot_count_; ++slot) {
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
    candidates_.clear();
    for (RegionId id = 0; id < layout_.count; ++id) {
        RegionRecord& record = *records_[id];
        record.warmth = record.warmth / 2 + record.found.exchange(0, std::memory_order_relaxed);
        if (status_[id].state == State::full) {
            candidates_.push_back({id, record.warmth, status_[id].sequence});
        }
    }
    uint16_t round = round_.load(std::memory_order_relaxed);
    round = round == UINT16_MAX ? 1 : static_cast<uint16_t>(round + 1);
    round_.store(round, std::memory_order_relaxed);
    if (candidates_.empty()) {
        return std::nullopt;
    }
    std::ranges::sort(candidates_, {}, &Candidate::sequence);
    // The younger ones have not had their time to be found.
    candidates_.resize((candidates_.size() + 1) / 2);
    return std::ranges::min_element(candidates_, {}, &Candidate::warmth)->id;
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
