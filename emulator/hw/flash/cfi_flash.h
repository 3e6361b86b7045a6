// A flash memory of two chips of 16 bits side by side: 32 MiB, 32 bits wide, in blocks of 256 KiB.
//
// While both chips show their cells it is ROM: reads and code are as fast as those of RAM. A command makes it a device, and so it stays
// until its cells were read for a while without another command: drivers alternate between the two.
//
// Each change is in the image when the write that makes it returns, so that it outlives the emulator, however that ends.
//
// The lock is the region's, around every access (emulator/memory/access.h). Transactions of the topology are made under it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "base/error.h"
#include "base/mutex.h"
#include "emulator/backend/block/block_backend.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/flash/cfi_chip.h"
#include "emulator/memory/topology.h"

namespace weft::hw {

class CfiFlash {
  public:
    static constexpr uint64_t kSize = 32 << 20;
    static constexpr uint64_t kBlockSize = 256 << 10;

    // With the contents of `image`, which is of kSize bytes and outlives the flash; null: zeros, as QEMU has them, which nobody keeps.
    static Result<std::unique_ptr<CfiFlash>> create(mem::Topology& topology, MachineControl& control,
                                                    const char* name, backend::BlockBackend* image);

    const mem::RegionPtr& region() const { return region_; }
    // The cells keep what they hold.
    void reset();
    // The cells are memory, and were loaded before: what differs from the image then is written to it.
    void visit_state(StateVisitor& visitor);

  private:
    // One chip's half of each 32-bit word.
    class Lane final : public FlashCells {
      public:
        Lane(CfiFlash& flash, unsigned number) : flash_(flash), number_(number) {}
        uint16_t load(uint32_t word) const override;
        bool program(uint32_t word, uint16_t value) override;
        bool erase(uint32_t block) override;

      private:
        uint64_t offset(uint32_t word) const { return uint64_t{word} * 4 + number_ * 2; }

        CfiFlash& flash_;
        const unsigned number_;
    };

    CfiFlash(mem::Topology& topology, MachineControl& control, const char* name,
             std::shared_ptr<mem::RamBlock> cells, backend::BlockBackend* image);
    Result<> load();
    bool read_only() const { return image_ != nullptr && image_->read_only(); }
    bool shows_array() const WEFT_REQUIRES(mutex_) {
        return chips_[0].shows_array() && chips_[1].shows_array();
    }
    void show_as_rom(bool rom) WEFT_REQUIRES(mutex_);
    void write_chip(uint64_t offset, unsigned size, uint16_t value) WEFT_REQUIRES(mutex_);
    void keep_changes() WEFT_REQUIRES(mutex_);
    void keep_all() WEFT_REQUIRES(mutex_);

    static DeviceStatus read(void* opaque, uint64_t offset, unsigned size, uint64_t* value);
    static DeviceStatus write(void* opaque, uint64_t offset, unsigned size, uint64_t value);
    static const mem::MemoryRegionOps kOps;

    mem::Topology& topology_;
    MachineControl& control_;
    const std::shared_ptr<mem::RamBlock> cells_;
    backend::BlockBackend* const image_;
    Mutex mutex_;
    std::array<Lane, 2> lanes_;
    std::array<CfiChip, 2> chips_ WEFT_GUARDED_BY(mutex_);
    bool is_rom_ WEFT_GUARDED_BY(mutex_) = true;
    unsigned array_reads_ WEFT_GUARDED_BY(mutex_) = 0;  // since the last command
    // Cells that are not in the image yet: from, to.
    uint64_t changed_from_ = kSize, changed_to_ = 0;
    const mem::RegionPtr rom_;
    const mem::RegionPtr region_;
};

}  // namespace weft::hw
