#include "emulator/memory/ram.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <array>
#include <bit>
#include <cerrno>
#include <utility>

#include "base/bits.h"
#include "weft/guest_ram.h"
#include "weft/memory.h"

namespace weft::mem {

RamBlock::RamBlock(std::shared_ptr<RamSpace> space, std::string name, uint64_t size, Mapping mapping)
    : space_(std::move(space)), name_(std::move(name)), size_(size), mapping_(std::move(mapping)) {}

RamBlock::~RamBlock() { space_->remove(*this); }

Result<> RamBlock::discard(uint64_t offset, uint64_t size) const {
    if (space_->calls_.advise(host() + offset, size, MADV_REMOVE) == 0) {
        return {};
    }
    // EINVAL: it is not of a file (madvise(2)).
    return errno == EINVAL
               ? mapping_.discard(offset, size)
               : fail_errno(fmt::format("cannot give {} bytes of {} back to the host", size, name_));
}

Result<std::shared_ptr<RamBlock>> RamSpace::allocate(std::string name, uint64_t size) {
    if (size == 0 || !is_aligned(size, kPageSize)) {
        return fail(fmt::format("{}: size {:#x} is not a positive multiple of {:#x}", name, size, kPageSize));
    }
    // Guests are given more memory than they use: the host reserves nothing for it.
    auto mapping = Mapping::anonymous(size, PROT_READ | PROT_WRITE, MAP_NORESERVE, kRamAlignment, calls_);
    if (!mapping) {
        return std::unexpected(mapping.error().within(fmt::format("{} of {} MiB", name, size >> 20)));
    }
    // Refused where the host has no huge pages: slower, and no reason to stop.
    if (size >= kRamAlignment) {
        static_cast<void>(mapping->advise(0, size, MADV_HUGEPAGE));
    }
    std::shared_ptr<RamBlock> block(
        new RamBlock(shared_from_this(), std::move(name), size, std::move(*mapping)));

    const MutexLock lock(mutex_);
    // The lowest gap that is large enough, so that offsets stay dense however often blocks come and go.
    uint64_t offset = 0;
    for (const auto& [start, other] : by_offset_) {
        if (start - offset >= size) {
            break;
        }
        offset = align_up(start + other->size(), kRamAlignment);
    }
    block->ram_offset_ = offset;
    by_offset_.emplace(offset, block.get());
    by_host_.emplace(block->host(), block.get());
    const auto& last = *by_offset_.rbegin();
    size_.store(last.first + last.second->size(), std::memory_order_release);
    return block;
}

void RamSpace::remove(const RamBlock& block) {
    // The accelerator knows bytes by their offsets. Nobody reads the block's any more: whoever held its addresses has let go
    // of them (see topology.h), so that what is forgotten now is not made again.
    {
        const Writing end(*this, block.ram_offset(), block.size());
    }
    const MutexLock lock(mutex_);
    by_host_.erase(block.host());
    by_offset_.erase(block.ram_offset());
    if (by_offset_.empty()) {
        size_.store(0, std::memory_order_release);
    } else {
        const auto& last = *by_offset_.rbegin();
        size_.store(last.first + last.second->size(), std::memory_order_release);
    }
}

std::vector<const RamBlock*> RamSpace::blocks() const {
    const MutexLock lock(mutex_);
    std::vector<const RamBlock*> all;
    for (const auto& [offset, block] : by_offset_) {
        all.push_back(block);
    }
    return all;
}

uint64_t RamSpace::hash() const {
    // Four sums side by side: one alone would wait for its multiplications. Each step can be undone, so that no two words
    // in one place give the same.
    constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;
    constexpr uint64_t kStep = 4 * sizeof(uint64_t);
    std::array<uint64_t, 4> sums{1, 2, 3, 4};
    const MutexLock lock(mutex_);
    for (const auto& [offset, block] : by_offset_) {
        sums[0] = (sums[0] ^ offset) * kFactor;
        sums[1] = (sums[1] ^ block->size()) * kFactor;
        for (uint64_t at = 0; at < block->size(); at += kStep) {
            for (unsigned i = 0; i < sums.size(); ++i) {
                const auto word = guest_ram::load<uint64_t>(block->host() + at + i * sizeof(uint64_t));
                sums[i] = std::rotl((sums[i] ^ word) * kFactor, 29);
            }
        }
    }
    uint64_t hash = 0;
    for (const uint64_t sum : sums) {
        hash = (hash ^ sum ^ sum >> 32) * kFactor;
    }
    return hash;
}

uint8_t* RamSpace::host_of(uint64_t ram_offset) const {
    const MutexLock lock(mutex_);
    auto next = by_offset_.upper_bound(ram_offset);
    if (next == by_offset_.begin()) {
        return nullptr;
    }
    const auto& [start, block] = *--next;
    return ram_offset - start < block->size() ? block->host() + (ram_offset - start) : nullptr;
}

std::optional<uint64_t> RamSpace::offset_of(const uint8_t* host) const {
    const MutexLock lock(mutex_);
    auto next = by_host_.upper_bound(host);
    if (next == by_host_.begin()) {
        return std::nullopt;
    }
    const auto& [start, block] = *--next;
    const auto distance = static_cast<uint64_t>(host - start);
    return distance < block->size() ? std::optional(block->ram_offset() + distance) : std::nullopt;
}

}  // namespace weft::mem
