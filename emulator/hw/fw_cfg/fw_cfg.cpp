#include "emulator/hw/fw_cfg/fw_cfg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "base/text_values.h"

namespace weft::hw {

namespace {

constexpr mem::MemoryRegionOps kOps = mmio_ops<FwCfg>({1, 8, false});

enum Register : uint64_t { kData = 0x00, kSelector = 0x08, kDmaHigh = 0x10, kDmaLow = 0x14 };

constexpr uint64_t kDmaSignature = 0x51454d5520434647;  // "QEMU CFG", as big-endian registers show it

enum DmaControl : uint32_t { kError = 1, kRead = 2, kSkip = 4, kSelect = 8, kWrite = 16 };

void put_big(std::vector<uint8_t>& bytes, uint64_t value, unsigned size) {
    for (unsigned i = size; i-- > 0;) {
        bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
    }
}

}  // namespace

FwCfgItems::FwCfgItems() {
    add(kSignature, {'Q', 'E', 'M', 'U'});
    add_number(kFeatures, 3, 4);  // the registers, and DMA
}

void FwCfgItems::add_number(uint16_t key, uint64_t value, unsigned size) {
    std::vector<uint8_t> bytes;
    for (unsigned i = 0; i < size; ++i) {
        bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
    }
    add(key, std::move(bytes));
}

Result<> FwCfgItems::add_file(const std::string& name, SharedBytes bytes) {
    if (name.empty() || name.size() > kMaxName) {
        return fail(fmt::format("a name has 1 to {} bytes, not {}", kMaxName, name.size()));
    }
    if (files_.contains(name)) {
        return fail(fmt::format("there are two files {}", in_quotes(name)));
    }
    if (files_.size() == kMaxFiles) {
        return fail(fmt::format("more than {} files", kMaxFiles));
    }
    files_.emplace(name, std::move(bytes));
    return {};
}

void FwCfgItems::finish() {
    std::vector<uint8_t> directory;
    put_big(directory, files_.size(), 4);
    uint16_t key = kFirstFile;
    for (auto& [name, bytes] : files_) {
        put_big(directory, bytes.size(), 4);
        put_big(directory, key, 2);
        put_big(directory, 0, 2);
        directory.insert(directory.end(), name.begin(), name.end());
        directory.resize(directory.size() + (kMaxName + 1 - name.size()));
        add(key++, std::move(bytes));
    }
    files_.clear();
    add(kDirectory, std::move(directory));
}

const SharedBytes* FwCfgItems::find(uint16_t key) const {
    const auto item = items_.find(key);
    return item != items_.end() ? &item->second : nullptr;
}

FwCfg::FwCfg(mem::AddressSpace& space, MachineControl& control, FwCfgItems items)
    : control_(control),
      items_(std::move(items)),
      dma_(space),
      selected_(items_.find(FwCfgItems::kSignature)),
      region_(space.topology().io("fw_cfg", kSize, kOps, this, &mutex_)) {}

void FwCfg::reset() {
    const MutexLock lock(mutex_);
    select(FwCfgItems::kSignature);
    dma_high_ = 0;
}

void FwCfg::visit_state(StateVisitor& visitor) {
    const MutexLock lock(mutex_);
    const uint16_t key = visitor.value("key", key_);
    const uint64_t position = visitor.value("position", position_);
    const uint32_t high = visitor.value("DMA address", dma_high_);
    if (visitor.loads()) {
        select(key);
        position_ = position;
        dma_high_ = high;
    }
}

void FwCfg::guest_error(const std::string& reason) {
    control_.guest_error(fmt::format("fw_cfg: {}", reason).c_str());
}

// Bit 14 asks for writing, which no item here allows.
void FwCfg::select(uint16_t key) {
    key_ = key;
    selected_ = items_.find(key & ~uint16_t{0x4000});
    position_ = 0;
}

void FwCfg::take(std::span<uint8_t> bytes) {
    const uint64_t size = selected_ != nullptr ? selected_->size() : 0;
    const uint64_t there = std::min<uint64_t>(bytes.size(), size - std::min(size, position_));
    if (there != 0) {
        std::copy_n(selected_->begin() + static_cast<ptrdiff_t>(position_), there, bytes.begin());
    }
    std::ranges::fill(bytes.subspan(there), uint8_t{0});
    position_ += bytes.size();
}

uint64_t FwCfg::mmio_read(uint64_t offset, unsigned size) {
    if (offset == kData) {
        // The bytes' order in memory is that of the item, whatever the width.
        std::array<uint8_t, 8> bytes{};
        take(std::span(bytes).first(size));
        return std::bit_cast<uint64_t>(bytes);
    }
    if (offset >= kDmaHigh) {
        const uint64_t shown = std::byteswap(kDmaSignature);
        return shown >> 8 * (offset - kDmaHigh);
    }
    guest_error(fmt::format("read of {} bytes at {:#x}", size, offset));
    return 0;
}

void FwCfg::mmio_write(uint64_t offset, unsigned size, uint64_t value) {
    if (offset == kSelector && size == 2) {
        select(std::byteswap(static_cast<uint16_t>(value)));
    } else if (offset == kDmaHigh && size == 8) {
        dma_high_ = 0;
        transfer(std::byteswap(value));
    } else if (offset == kDmaHigh && size == 4) {
        dma_high_ = std::byteswap(static_cast<uint32_t>(value));
    } else if (offset == kDmaLow && size == 4) {
        const uint64_t high = std::exchange(dma_high_, 0);
        transfer(high << 32 | std::byteswap(static_cast<uint32_t>(value)));
    } else {
        // Also writes of data, which have had no effect since QEMU 2.4.
        guest_error(fmt::format("write of {} bytes at {:#x}", size, offset));
    }
}

void FwCfg::transfer(uint64_t descriptor) {
    // { control, length, address }, all big-endian; the control word is the guest's to poll.
    std::array<uint8_t, 16> bytes{};
    bool done = dma_.read(descriptor, bytes) == DeviceStatus::ok;
    if (done) {
        const auto big = [&](size_t at, size_t size) {
            uint64_t value = 0;
            for (size_t i = at; i < at + size; ++i) {
                value = value << 8 | bytes[i];
            }
            return value;
        };
        const auto control = static_cast<uint32_t>(big(0, 4));
        if ((control & kSelect) != 0) {
            select(static_cast<uint16_t>(control >> 16));
        }
        done = execute(control, static_cast<uint32_t>(big(4, 4)), big(8, 8));
    } else {
        guest_error(fmt::format("no descriptor at {:#x}", descriptor));
    }
    const uint32_t result = std::byteswap(done ? 0 : uint32_t{kError});
    if ((descriptor & 3) == 0) {
        dma_.store_sync<uint32_t>(descriptor, result);
    } else {
        dma_.write(descriptor, std::bit_cast<std::array<uint8_t, sizeof(result)>>(result));
    }
}

// False: something that the guest named is no RAM, or it asked for what there is not.
bool FwCfg::execute(uint32_t commands, uint32_t length, uint64_t address) {
    if ((commands & kRead) != 0) {
        std::array<uint8_t, 4096> part;
        while (length != 0) {
            const auto bytes = std::span(part).first(std::min<size_t>(length, part.size()));
            take(bytes);
            if (dma_.write(address, bytes) != DeviceStatus::ok) {
                guest_error(fmt::format("DMA to {:#x}, which is no RAM", address));
                return false;
            }
            // An address that wraps has met the end of the space before.
            address += bytes.size();
            length -= static_cast<uint32_t>(bytes.size());
        }
    } else if ((commands & kWrite) != 0) {
        guest_error("DMA to an item, of which none is writable");
        return false;
    } else if ((commands & kSkip) != 0) {
        position_ += length;
    }
    return true;
}

}  // namespace weft::hw
