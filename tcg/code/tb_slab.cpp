#include "tcg/code/tb_slab.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>
#include <type_traits>

#include "base/assert.h"
#include "base/bits.h"

namespace weft::tcg {

// Memory of descriptors is dropped without visiting them.
static_assert(std::is_trivially_destructible_v<OutgoingJump>);

TbSlab::TbSlab(uint32_t max_units, const HostCalls& calls, bool pages_ahead)
    : max_units_(max_units), calls_(calls), descriptor_pages_(pages_ahead), table_pages_(pages_ahead) {
    WEFT_ASSERT(max_units <= first_of(kChunks));
}

unsigned TbSlab::chunk_of(uint32_t index) {
    return static_cast<unsigned>(std::bit_width(index / kFirstChunk + 1)) - 1;
}

TranslationBlock* TbSlab::slot(uint32_t index) const {
    const unsigned chunk = chunk_of(index);
    auto* first = reinterpret_cast<TranslationBlock*>(descriptors_[chunk].data());
    return std::launder(first + (index - first_of(chunk)));
}

bool TbSlab::prepare() {
    const uint32_t index = count_.load(std::memory_order_relaxed);
    if (index >= max_units_) {
        return false;
    }
    const unsigned chunk = chunk_of(index);
    if (!descriptors_[chunk]) {
        // Pages that are not reached cost nothing, so that doubling wastes addresses only.
        auto mapping = Mapping::anonymous((size_t{kFirstChunk} << chunk) * sizeof(TranslationBlock),
                                          PROT_READ | PROT_WRITE, MAP_NORESERVE, 0, calls_);
        if (!mapping) {
            return false;
        }
        descriptors_[chunk] = std::move(*mapping);
        descriptor_pages_.restart();
    }
    return true;
}

TranslationBlock* TbSlab::next() {
    const uint32_t index = count_.load(std::memory_order_relaxed);
    const unsigned chunk = chunk_of(index);
    WEFT_ASSERT(index < max_units_ && descriptors_[chunk]);
    const size_t offset = (index - first_of(chunk)) * sizeof(TranslationBlock);
    descriptor_pages_.reach(descriptors_[chunk], offset + sizeof(TranslationBlock));
    return new (descriptors_[chunk].data() + offset) TranslationBlock{};
}

void TbSlab::publish() {
    // release; pairs with the acquire in count().
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void TbSlab::take_back(Mark mark) {
    const uint32_t index = count_.load(std::memory_order_relaxed);
    WEFT_ASSERT(index != 0);
    count_.store(index - 1, std::memory_order_release);
    rewind(mark);
}

void TbSlab::rewind(Mark mark) {
    chunk_ = mark.chunk;
    used_ = mark.used;
}

void* TbSlab::allocate(size_t size, size_t alignment) {
    WEFT_DEBUG_ASSERT(is_power_of_two(alignment) && alignment <= 16);
    const Mark before = mark();
    for (; chunk_ < tables_.size(); ++chunk_, used_ = 0) {
        const Mapping& chunk = tables_[chunk_];
        const size_t at = align_up(used_, alignment);
        if (at <= chunk.size() && size <= chunk.size() - at) {
            used_ = at + size;
            table_pages_.reach(chunk, used_);
            return chunk.data() + at;
        }
    }
    const size_t usual =
        std::min(kFirstTableChunk << std::min<size_t>(tables_.size(), 8), kLargestTableChunk);
    auto mapping =
        Mapping::anonymous(std::max(size, usual), PROT_READ | PROT_WRITE, MAP_NORESERVE, 0, calls_);
    if (!mapping) {
        rewind(before);
        return nullptr;
    }
    tables_.push_back(std::move(*mapping));
    used_ = size;
    table_pages_.restart();
    table_pages_.reach(tables_.back(), used_);
    return tables_.back().data();
}

void TbSlab::shrink_last(void* start, size_t size) {
    const auto* at = static_cast<std::byte*>(start);
    const std::byte* base = tables_[chunk_].data();
    WEFT_DEBUG_ASSERT(at >= base && at + size <= base + used_);
    used_ = static_cast<size_t>(at - base) + size;
}

void TbSlab::reset() {
    count_.store(0, std::memory_order_release);
    // The first of each stays: nearly every region has use for it again at once.
    for (size_t chunk = 1; chunk < descriptors_.size(); ++chunk) {
        descriptors_[chunk].reset();
    }
    if (tables_.size() > 1) {
        tables_.resize(1);
    }
    rewind({0, 0});
    descriptor_pages_.restart();
    table_pages_.restart();
}

}  // namespace weft::tcg
