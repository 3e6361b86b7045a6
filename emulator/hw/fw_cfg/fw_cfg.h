// QEMU's firmware configuration device with memory-mapped registers: named pieces of data that firmware and kernels read
// (QEMU's documentation, specs/fw_cfg).
//
// hw/fw_cfg holds the device. Boards make it; it knows memory and hw/core.
//
// What the guest says in a DMA descriptor is checked by the memory that it names: what is no RAM ends the transfer with the error bit.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"
#include "base/shared_bytes.h"
#include "base/state_visitor.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/core/mmio.h"
#include "emulator/memory/reader.h"

namespace weft::hw {

// What the device holds, by key. Constant once the device has it.
class FwCfgItems {
  public:
    enum Key : uint16_t {
        kSignature = 0x00,
        kFeatures = 0x01,
        kRamSize = 0x03,
        kCpuCount = 0x05,
        kKernelSize = 0x08,
        kInitrdSize = 0x0b,
        kKernelData = 0x11,
        kInitrdData = 0x12,
        kCommandLineSize = 0x14,
        kCommandLineData = 0x15,
        kDirectory = 0x19,
        kFirstFile = 0x20,
    };
    static constexpr size_t kMaxName = 55;
    static constexpr size_t kMaxFiles = 0x100;

    FwCfgItems();
    void add(uint16_t key, SharedBytes bytes) { items_[key] = std::move(bytes); }
    // Little-endian, of `size` bytes.
    void add_number(uint16_t key, uint64_t value, unsigned size);
    // A file of the directory. Refused: names that are there already, empty or too long ones, too many files.
    Result<> add_file(const std::string& name, SharedBytes bytes);
    // Gives files their keys and makes the directory, in the order of names. Once, after all else.
    void finish();

    // Null: there is no such item.
    const SharedBytes* find(uint16_t key) const;

  private:
    std::map<uint16_t, SharedBytes> items_;
    std::map<std::string, SharedBytes> files_;
};

class FwCfg {
  public:
    static constexpr uint64_t kSize = 0x18;

    // `items` were finished. DMA goes through `space`.
    FwCfg(mem::AddressSpace& space, MachineControl& control, FwCfgItems items);

    const mem::RegionPtr& region() const { return region_; }
    void reset();
    // What is being read, and from where on: not the items.
    void visit_state(StateVisitor& visitor);

  private:
    friend struct MmioOps<FwCfg>;

    uint64_t mmio_read(uint64_t offset, unsigned size) WEFT_REQUIRES(mutex_);
    void mmio_write(uint64_t offset, unsigned size, uint64_t value) WEFT_REQUIRES(mutex_);
    void select(uint16_t key) WEFT_REQUIRES(mutex_);
    // The next bytes of the item; zeros behind its end.
    void take(std::span<uint8_t> bytes) WEFT_REQUIRES(mutex_);
    void transfer(uint64_t descriptor) WEFT_REQUIRES(mutex_);
    bool execute(uint32_t commands, uint32_t length, uint64_t address) WEFT_REQUIRES(mutex_);
    void guest_error(const std::string& reason);

    MachineControl& control_;
    const FwCfgItems items_;
    Mutex mutex_;
    mem::Reader dma_ WEFT_GUARDED_BY(mutex_);
    uint16_t key_ WEFT_GUARDED_BY(mutex_) = FwCfgItems::kSignature;
    const SharedBytes* selected_ WEFT_GUARDED_BY(mutex_);  // by key_; null: there is none
    uint64_t position_ WEFT_GUARDED_BY(mutex_) = 0;
    uint32_t dma_high_ WEFT_GUARDED_BY(mutex_) = 0;
    const mem::RegionPtr region_;
};

}  // namespace weft::hw
