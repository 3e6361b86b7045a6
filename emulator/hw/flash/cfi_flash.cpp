#include "emulator/hw/flash/cfi_flash.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/messages.h"
#include "weft/guest_ram.h"

namespace weft::hw {

namespace {

// So often cells are read as a device's before they are ROM again.
constexpr unsigned kReadsUntilRom = 64;

}  // namespace

const mem::MemoryRegionOps CfiFlash::kOps = {CfiFlash::read, CfiFlash::write, {1, 8, true}, {1, 4, false}};

Result<std::unique_ptr<CfiFlash>> CfiFlash::create(mem::Topology& topology, MachineControl& control,
                                                   const char* name, backend::BlockBackend* image) {
    if (image != nullptr && image->size() != kSize) {
        return fail(fmt::format("{}: its image has {} bytes, not {}", name, image->size(), kSize));
    }
    auto cells = topology.allocate_ram(name, kSize);
    if (!cells) {
        return std::unexpected(cells.error());
    }
    std::unique_ptr<CfiFlash> flash(new CfiFlash(topology, control, name, std::move(*cells), image));
    if (Result<> loaded = flash->load(); !loaded) {
        return std::unexpected(loaded.error());
    }
    return flash;
}

CfiFlash::CfiFlash(mem::Topology& topology, MachineControl& control, const char* name,
                   std::shared_ptr<mem::RamBlock> cells, backend::BlockBackend* image)
    : topology_(topology),
      control_(control),
      cells_(std::move(cells)),
      image_(image),
      lanes_{Lane(*this, 0), Lane(*this, 1)},
      chips_{CfiChip(lanes_[0]), CfiChip(lanes_[1])},
      rom_(topology.rom(cells_, kOps, this, &mutex_)),
      region_(topology.container(name, kSize)) {
    const mem::Transaction transaction(topology);
    region_->add_subregion(0, topology.io(fmt::format("{}.commands", name), kSize, kOps, this, &mutex_));
    region_->add_subregion(0, rom_, 1);
}

// Memory of zeros is left untouched, so that it takes none.
Result<> CfiFlash::load() {
    if (image_ == nullptr) {
        return {};
    }
    std::vector<uint8_t> bytes(64 << 10);
    for (uint64_t done = 0; done != kSize; done += bytes.size()) {
        if (Result<> read = image_->read(done, bytes); !read) {
            return read;
        }
        if (std::ranges::any_of(bytes, [](uint8_t byte) { return byte != 0; })) {
            guest_ram::write(cells_->host() + done, bytes.data(), bytes.size());
        }
    }
    return {};
}

void CfiFlash::reset() {
    const MutexLock lock(mutex_);
    for (CfiChip& chip : chips_) {
        chip.reset();
    }
    show_as_rom(true);
}

void CfiFlash::visit_state(StateVisitor& visitor) {
    const MutexLock lock(mutex_);
    for (CfiChip& chip : chips_) {
        chip.visit_state(visitor);
    }
    const bool rom = visitor.value<uint8_t>("seen as ROM", is_rom_ ? 1 : 0, 1) != 0;
    const unsigned reads = visitor.value("reads as a device", array_reads_, kReadsUntilRom);
    visitor.require(!rom || reads == 0, "it is seen as ROM and read as a device");
    if (visitor.loads()) {
        show_as_rom(rom);
        array_reads_ = reads;
        keep_all();
    }
}

// In pieces, of which those that are equal are left alone.
void CfiFlash::keep_all() {
    if (image_ == nullptr || read_only()) {
        return;
    }
    std::vector<uint8_t> kept(kBlockSize);
    std::vector<uint8_t> cells(kBlockSize);
    for (uint64_t at = 0; at != kSize; at += kBlockSize) {
        guest_ram::read(cells.data(), cells_->host() + at, cells.size());
        if (const Result<> read = image_->read(at, kept); read && kept == cells) {
            continue;
        }
        changed_from_ = std::min(changed_from_, at);
        changed_to_ = std::max(changed_to_, at + kBlockSize);
    }
    keep_changes();
}

void CfiFlash::show_as_rom(bool rom) {
    if (is_rom_ != rom) {
        rom_->set_enabled(rom);
        is_rom_ = rom;
    }
    array_reads_ = 0;
}

uint16_t CfiFlash::Lane::load(uint32_t word) const {
    return guest_ram::load<uint16_t>(flash_.cells_->host() + offset(word));
}

bool CfiFlash::Lane::program(uint32_t word, uint16_t value) {
    if (flash_.read_only()) {
        return false;
    }
    const uint64_t at = offset(word);
    const auto cells = static_cast<uint16_t>(load(word) & value);
    {
        const mem::Topology::Writing writing(flash_.topology_, flash_.cells_->ram_offset() + at,
                                             sizeof(cells));
        guest_ram::store<uint16_t>(flash_.cells_->host() + at, cells);
    }
    flash_.changed_from_ = std::min(flash_.changed_from_, at);
    flash_.changed_to_ = std::max(flash_.changed_to_, at + sizeof(cells));
    return true;
}

bool CfiFlash::Lane::erase(uint32_t block) {
    if (flash_.read_only()) {
        return false;
    }
    const uint64_t start = block * kBlockSize;
    {
        const mem::Topology::Writing writing(flash_.topology_, flash_.cells_->ram_offset() + start,
                                             kBlockSize);
        for (uint32_t word = 0; word < CfiChip::kBlockWords; ++word) {
            guest_ram::store<uint16_t>(flash_.cells_->host() + offset(block * CfiChip::kBlockWords + word),
                                       0xffff);
        }
    }
    flash_.changed_from_ = std::min(flash_.changed_from_, start);
    flash_.changed_to_ = std::max(flash_.changed_to_, start + kBlockSize);
    return true;
}

// What both chips changed goes to the image in one piece.
void CfiFlash::keep_changes() {
    if (changed_from_ >= changed_to_) {
        return;
    }
    if (image_ != nullptr) {
        std::vector<uint8_t> bytes(changed_to_ - changed_from_);
        guest_ram::read(bytes.data(), cells_->host() + changed_from_, bytes.size());
        if (Result<> kept = image_->write(changed_from_, bytes); !kept) {
            control_.guest_error(kept.error().message().c_str());
            for (CfiChip& chip : chips_) {
                chip.fail();
            }
        }
    }
    changed_from_ = kSize;
    changed_to_ = 0;
}

// At most two bytes, which do not leave a chip's half of a word.
void CfiFlash::write_chip(uint64_t offset, unsigned size, uint16_t value) {
    CfiChip& chip = chips_[offset >> 1 & 1];
    const auto word = static_cast<uint32_t>(offset >> 2);
    if (size == 2) {
        chip.write(word, value, 0xffff);
    } else {
        const unsigned shift = 8 * (offset & 1);
        chip.write(word, static_cast<uint16_t>(value << shift), static_cast<uint16_t>(0xff << shift));
    }
}

DeviceStatus CfiFlash::read(void* opaque, uint64_t offset, unsigned size,
                            uint64_t* value) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    CfiFlash& flash = *static_cast<CfiFlash*>(opaque);
    const auto word = static_cast<uint32_t>(offset >> 2);
    if (size == 4) {
        *value = flash.chips_[0].read(word) | uint32_t{flash.chips_[1].read(word)} << 16;
    } else {
        *value = flash.chips_[offset >> 1 & 1].read(word) >> 8 * (offset & 1);
    }
    if (flash.shows_array() && ++flash.array_reads_ >= kReadsUntilRom) {
        flash.show_as_rom(true);
    }
    return DeviceStatus::ok;
}

DeviceStatus CfiFlash::write(void* opaque, uint64_t offset, unsigned size,
                             uint64_t value) WEFT_NO_THREAD_SAFETY_ANALYSIS {
    CfiFlash& flash = *static_cast<CfiFlash*>(opaque);
    if (flash.is_rom_) {
        // Whoever writes reads next, and must not find the ROM that it knows.
        flash.show_as_rom(false);
        return DeviceStatus::again;
    }
    flash.array_reads_ = 0;
    flash.write_chip(offset, size == 4 ? 2 : size, static_cast<uint16_t>(value));
    if (size == 4) {
        flash.write_chip(offset + 2, 2, static_cast<uint16_t>(value >> 16));
    }
    flash.keep_changes();
    return DeviceStatus::ok;
}

}  // namespace weft::hw
