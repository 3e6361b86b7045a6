#include "tcg/code/code_context.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/assert.h"
#include "base/bits.h"
#include "tcg/code/insn_table.h"
#include "tcg/code/regions.h"

namespace weft::tcg {

namespace {

// Of few units the code is longer.
constexpr size_t kUsualUnit = 2048;

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
    record.code_pages.reach(allocator_.buffer_.writable(), record.range.start + cursor + kUsualUnit);
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
    const size_t rows_size = compiled.insns.size() * kMaxEncodedInsnRow + compiled.encoded_insns.size();
    auto* jumps = static_cast<OutgoingJump*>(
        slab.allocate(compiled.jump_count * sizeof(OutgoingJump), alignof(OutgoingJump)));
    auto* saved = static_cast<uint8_t*>(slab.allocate(info.saved_bytes.size(), 1));
    auto* rows = static_cast<uint8_t*>(slab.allocate(rows_size, 1));
    if (jumps == nullptr || saved == nullptr || rows == nullptr) {
        slab.rewind(mark);
        return nullptr;
    }
    size_t table_size = compiled.encoded_insns.size();
    if (table_size == 0) {
        table_size = encode_insn_table(compiled.insns, {rows, rows_size});
    } else {
        std::ranges::copy(compiled.encoded_insns, rows);
    }
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

}  // namespace weft::tcg
