#include "emulator/hw/virtio/virtqueue.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/bits.h"

namespace weft::hw {

namespace {

// virtio 1.2, 2.7.5 to 2.7.8.
constexpr unsigned kDescriptorSize = 16;
constexpr uint16_t kDescNext = 1;
constexpr uint16_t kDescWrite = 2;
constexpr uint16_t kDescIndirect = 4;
constexpr uint64_t kRingIndex = 2;  // of avail and used
constexpr uint64_t kRingEntries = 4;
constexpr uint64_t kAvailEntry = 2;
constexpr uint64_t kUsedEntry = 8;
constexpr uint16_t kNoInterrupt = 1;  // avail.flags

// Longest chain: also what ends one that runs in a circle. Drivers keep to the queue's size, or to seg_max with indirect tables.
constexpr unsigned kMaxParts = 1024;

std::unexpected<Error> unreachable(const char* what, uint64_t address) {
    return fail(fmt::format("{} at {:#x} is not in RAM", what, address));
}

template <class Copy>
bool for_parts(const std::vector<VirtioChain::Part>& parts, uint64_t offset, size_t size, const Copy& copy) {
    size_t done = 0;
    for (const VirtioChain::Part& part : parts) {
        if (done == size) {
            break;
        }
        if (offset >= part.size) {
            offset -= part.size;
            continue;
        }
        const size_t count = std::min<uint64_t>(part.size - offset, size - done);
        if (part.address > UINT64_MAX - offset || !copy(part.address + offset, done, count)) {
            return false;
        }
        done += count;
        offset = 0;
    }
    return done == size;
}

}  // namespace

bool VirtioChain::read(mem::Reader& dma, uint64_t offset, std::span<uint8_t> data) const {
    return for_parts(readable, offset, data.size(), [&](uint64_t address, size_t at, size_t count) {
        return dma.read(address, data.subspan(at, count)) == DeviceStatus::ok;
    });
}

bool VirtioChain::write(mem::Reader& dma, uint64_t offset, std::span<const uint8_t> data) const {
    return for_parts(writable, offset, data.size(), [&](uint64_t address, size_t at, size_t count) {
        return dma.write(address, data.subspan(at, count)) == DeviceStatus::ok;
    });
}

void Virtqueue::set_ring(uint64_t address, uint32_t alignment) {
    descriptors_ = address;
    available_ = descriptors_ + uint64_t{size_} * kDescriptorSize;
    // The last word is the used_event of drivers with event indices: it is there without them, too.
    used_ = align_up(available_ + kRingEntries + kAvailEntry * size_ + 2, alignment);
}

Result<> Virtqueue::check(const Setup& setup) const {
    const auto& [size, descriptors, available, used] = setup;
    if (size > max_size_ || !is_power_of_two(size)) {
        return fail(fmt::format("queue size {} is no power of two up to {}", size, max_size_));
    }
    if (!is_aligned(descriptors, 16) || !is_aligned(available, 2) || !is_aligned(used, 4)) {
        return fail(fmt::format("queue at {:#x}, {:#x}, {:#x} is not aligned", descriptors, available, used));
    }
    // So that sums of these with offsets into the queue never wrap.
    if (std::max({descriptors, available, used}) > UINT64_MAX - (uint64_t{1} << 20)) {
        return fail("queue at the end of the address space");
    }
    return {};
}

Result<> Virtqueue::enable(uint64_t features) {
    if (Result<> checked = check({size_, descriptors_, available_, used_}); !checked) {
        return checked;
    }
    ready_ = true;
    ++life_;
    event_index_ = (features & kVirtioEventIndex) != 0;
    indirect_ = (features & kVirtioIndirect) != 0;
    next_available_ = 0;
    used_index_ = 0;
    interrupted_at_ = 0;
    return {};
}

void Virtqueue::reset() {
    ready_ = false;
    size_ = max_size_;
    descriptors_ = 0;
    available_ = 0;
    used_ = 0;
}

void Virtqueue::visit_state(StateVisitor& visitor) {
    Setup setup{};
    setup.size = visitor.number("size", size_);
    setup.descriptors = visitor.number("descriptors", descriptors_);
    setup.available = visitor.number("available", available_);
    setup.used = visitor.number("used", used_);
    const bool ready = visitor.flag("ready", ready_);
    const Result<> checked = ready ? check(setup) : Result<>();
    visitor.require(checked.has_value(), checked ? "" : checked.error().message().c_str());
    visitor.number("life", life_);
    visitor.flag("event index", event_index_);
    visitor.flag("indirect", indirect_);
    visitor.number("next available", next_available_);
    visitor.number("used index", used_index_);
    visitor.number("interrupted at", interrupted_at_);
}

void VirtioChain::visit_state(StateVisitor& visitor) {
    visitor.number("head", head);
    visitor.number("life", life);
    const auto visit_parts = [&](const char* name, std::vector<Part>& parts, uint64_t& sum) {
        uint64_t size = 0;
        visitor.list(name, parts, kMaxParts + 1, [&](Part& part) {
            visitor.number("address", part.address);
            size += visitor.number("size", part.size);
        });
        if (!visitor.saves()) {
            sum = size;
        }
    };
    // A chain that is visited to be checked or loaded is a new one.
    visit_parts("readable", readable, readable_size);
    visit_parts("writable", writable, writable_size);
}

Result<Virtqueue::Descriptor> Virtqueue::descriptor(mem::Reader& dma, uint64_t table, uint32_t index) const {
    const uint64_t offset = uint64_t{index} * kDescriptorSize;
    std::array<uint8_t, kDescriptorSize> bytes;
    if (table > UINT64_MAX - offset || dma.read(table + offset, bytes) != DeviceStatus::ok) {
        return unreachable("descriptor", table + offset);
    }
    Descriptor result;
    std::memcpy(&result.address, bytes.data(), 8);
    std::memcpy(&result.size, bytes.data() + 8, 4);
    std::memcpy(&result.flags, bytes.data() + 12, 2);
    std::memcpy(&result.next, bytes.data() + 14, 2);
    return result;
}

Result<uint16_t> Virtqueue::available_index(mem::Reader& dma) const {
    uint16_t index = 0;
    // What the driver wrote before this index is seen after it.
    if (dma.load_sync(available_ + kRingIndex, &index) != DeviceStatus::ok) {
        return unreachable("available ring", available_);
    }
    if (static_cast<uint16_t>(index - next_available_) > size_) {
        return fail(
            fmt::format("available index {} is more than {} ahead of {}", index, size_, next_available_));
    }
    return index;
}

Result<> Virtqueue::collect(mem::Reader& dma, VirtioChain& chain) const {
    uint64_t table = descriptors_;
    uint32_t table_size = size_;
    uint32_t index = chain.head;
    bool indirect = false;
    for (unsigned count = 0;; ++count) {
        if (count > kMaxParts) {
            return fail(fmt::format("chain {} has more than {} descriptors or runs in a circle", chain.head,
                                    kMaxParts));
        }
        if (index >= table_size) {
            return fail(fmt::format("chain {} names descriptor {} of {}", chain.head, index, table_size));
        }
        const auto entry = descriptor(dma, table, index);
        if (!entry) {
            return std::unexpected(entry.error());
        }
        if ((entry->flags & kDescIndirect) != 0) {
            // 2.7.5.3: one table, at the end of the chain, and only if that was negotiated.
            if (!indirect_ || indirect || (entry->flags & kDescNext) != 0 || entry->size == 0 ||
                entry->size % kDescriptorSize != 0) {
                return fail(fmt::format("chain {} has a bad indirect descriptor", chain.head));
            }
            indirect = true;
            table = entry->address;
            table_size = entry->size / kDescriptorSize;
            index = 0;
            continue;
        }
        const VirtioChain::Part part{entry->address, entry->size};
        if ((entry->flags & kDescWrite) != 0) {
            chain.writable.push_back(part);
            chain.writable_size += part.size;
        } else if (!chain.writable.empty()) {
            return fail(fmt::format("chain {} has a readable descriptor after a writable one", chain.head));
        } else {
            chain.readable.push_back(part);
            chain.readable_size += part.size;
        }
        if ((entry->flags & kDescNext) == 0) {
            return {};
        }
        index = entry->next;
    }
}

Result<std::optional<VirtioChain>> Virtqueue::pop(mem::Reader& dma) {
    if (!ready_) {
        return std::nullopt;
    }
    const auto index = available_index(dma);
    if (!index) {
        return std::unexpected(index.error());
    }
    if (*index == next_available_) {
        return std::nullopt;
    }
    VirtioChain chain;
    chain.life = life_;
    const uint64_t entry = available_ + kRingEntries + kAvailEntry * (next_available_ % size_);
    if (dma.load(entry, &chain.head) != DeviceStatus::ok) {
        return unreachable("available ring", entry);
    }
    if (auto collected = collect(dma, chain); !collected) {
        return std::unexpected(collected.error());
    }
    ++next_available_;
    return chain;
}

Result<> Virtqueue::push(mem::Reader& dma, const VirtioChain& chain, uint32_t written) {
    const Result<> staged = stage(dma, chain, written);
    return staged ? publish(dma) : staged;
}

Result<> Virtqueue::stage(mem::Reader& dma, const VirtioChain& chain, uint32_t written) {
    const uint64_t entry = used_ + kRingEntries + kUsedEntry * (used_index_ % size_);
    if (dma.store<uint32_t>(entry, chain.head) != DeviceStatus::ok ||
        dma.store<uint32_t>(entry + 4, written) != DeviceStatus::ok) {
        return unreachable("used ring", entry);
    }
    ++used_index_;
    return {};
}

Result<> Virtqueue::publish(mem::Reader& dma) {
    // The entries, and the data, are seen before this index.
    if (dma.store_sync<uint16_t>(used_ + kRingIndex, used_index_) != DeviceStatus::ok) {
        return unreachable("used ring", used_);
    }
    return {};
}

Result<bool> Virtqueue::wants_interrupt(mem::Reader& dma) {
    const uint16_t before = std::exchange(interrupted_at_, used_index_);
    // Read after the index was written: the driver writes this word and then reads the index (2.7.7, 2.7.10).
    uint16_t word = 0;
    const uint64_t address = event_index_ ? available_ + kRingEntries + kAvailEntry * size_ : available_;
    if (dma.load_sync(address, &word) != DeviceStatus::ok) {
        return unreachable("available ring", address);
    }
    if (!event_index_) {
        return (word & kNoInterrupt) == 0;
    }
    // Whether the index passed the one that the driver waits for.
    return static_cast<uint16_t>(used_index_ - word - 1) < static_cast<uint16_t>(used_index_ - before);
}

bool Virtqueue::available(mem::Reader& dma) const {
    const auto index = ready_ ? available_index(dma) : Result<uint16_t>(next_available_);
    return !index || *index != next_available_;
}

Result<bool> Virtqueue::wait_for_more(mem::Reader& dma) {
    if (event_index_) {
        const uint64_t address = used_ + kRingEntries + kUsedEntry * size_;
        if (dma.store_sync<uint16_t>(address, next_available_) != DeviceStatus::ok) {
            return unreachable("used ring", address);
        }
    }
    const auto index = available_index(dma);
    if (!index) {
        return std::unexpected(index.error());
    }
    return *index != next_available_;
}

}  // namespace weft::hw
