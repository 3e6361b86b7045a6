#include "base/shared_bytes.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/bits.h"
#include "base/host_info.h"

namespace weft {

namespace {

// The usual size of a huge page (x86-64, and arm64 with pages of 4 KiB). Of another size it is no more than an alignment.
constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

SharedBytes::SharedBytes(std::vector<std::uint8_t> bytes) {
    const auto owner = std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes));
    bytes_ = *owner;
    owner_ = owner;
}

SharedBytes::SharedBytes(std::initializer_list<std::uint8_t> bytes)
    : SharedBytes(std::vector<std::uint8_t>(bytes)) {}

SharedBytes::SharedBytes(Mapping mapping, std::size_t size) {
    WEFT_ASSERT(size <= mapping.size());
    const auto owner = std::make_shared<const Mapping>(std::move(mapping));
    bytes_ = {reinterpret_cast<const std::uint8_t*>(owner->data()), size};
    owner_ = owner;
}

SharedBytes SharedBytes::part(std::size_t offset, std::size_t size) const {
    WEFT_ASSERT(offset <= bytes_.size() && size <= bytes_.size() - offset);
    SharedBytes part;
    part.owner_ = owner_;
    part.bytes_ = bytes_.subspan(offset, size);
    return part;
}

bool operator==(const SharedBytes& a, const SharedBytes& b) { return std::ranges::equal(a.bytes_, b.bytes_); }

Result<std::span<std::uint8_t>> BytesCollector::room(std::size_t size) {
    if (memory_.size() - size_ < size) {
        // Doubled, so that pieces without an end in sight are moved a few times and not each time.
        const std::size_t wanted = std::max(size_ + size, 2 * size_);
        const std::size_t whole = align_up(wanted, wanted >= kHugePage ? kHugePage : host_page_size());
        auto larger = Mapping::anonymous(whole, PROT_READ | PROT_WRITE, MAP_NORESERVE,
                                         whole >= kHugePage ? kHugePage : 0, calls_);
        if (!larger) {
            return std::unexpected(larger.error());
        }
        if (whole >= kHugePage) {
            static_cast<void>(larger->advise(0, whole, MADV_HUGEPAGE));  // a host may refuse
        }
        if (size_ != 0) {
            std::memcpy(larger->data(), memory_.data(), size_);
        }
        memory_ = std::move(*larger);
    }
    return std::span(start() + size_, memory_.size() - size_);
}

void BytesCollector::add(std::size_t size) {
    WEFT_ASSERT(size <= memory_.size() - size_);
    size_ += size;
}

SharedBytes BytesCollector::take() {
    return memory_ ? SharedBytes(std::move(memory_), std::exchange(size_, 0)) : SharedBytes();
}

}  // namespace weft
