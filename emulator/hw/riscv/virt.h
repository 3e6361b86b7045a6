// The `virt` board: the machine that RISC-V system software is built for when it is not built for a chip.
//
// hw/riscv holds RISC-V's boards and interrupt controllers: the one folder of hw that knows harts. The list of machine types
// uses its boards, through hw::Board; it may use all of hw.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "emulator/guest/riscv/cpu/hart.h"
#include "emulator/hw/char/uart16550.h"
#include "emulator/hw/core/board.h"
#include "emulator/hw/core/machine_control.h"
#include "emulator/hw/flash/cfi_flash.h"
#include "emulator/hw/fw_cfg/fw_cfg.h"
#include "emulator/hw/misc/test_finisher.h"
#include "emulator/hw/pci/host.h"
#include "emulator/hw/pci/placement.h"
#include "emulator/hw/riscv/aclint_sswi.h"
#include "emulator/hw/riscv/clint.h"
#include "emulator/hw/riscv/hart_semihosting.h"
#include "emulator/hw/riscv/plic.h"
#include "emulator/hw/riscv/virt_boot.h"
#include "emulator/hw/riscv/virt_map.h"
#include "emulator/hw/rtc/goldfish.h"
#include "emulator/hw/virtio/blk.h"
#include "emulator/hw/virtio/mmio.h"
#include "emulator/memory/reader.h"
#include "emulator/memory/topology.h"

namespace weft::hw {

struct VirtConfig {
    BootConfig boot;                         // cpus: 1 to virt::kMaxHarts
    std::vector<mem::RamBacking> ram;        // BoardBackends::ram
    backend::CharBackend* serial = nullptr;  // null: nothing is connected

    std::array<backend::BlockBackend*, virt::kFlashes> flash{};  // images of CfiFlash::kSize; null: none

    struct Device {
        DeviceConfig config;                // of Bus::virtio or Bus::pci
        std::optional<unsigned> slot = {};  // below virt::kVirtioSlots; none: the highest that is free
    };
    std::vector<Device> devices;
    // Of the virtio slots' registers; QEMU's default.
    VirtioMmioLayout virtio_layout = VirtioMmioLayout::legacy;

    semihosting::Host* semihosting = nullptr;  // null: there is none; outlives the board

    // Makes /chosen/rng-seed the same in every run; none: from the host's random numbers.
    std::optional<uint64_t> rng_seed;
};

// A hart and what it sees.
class VirtCpu final : public BoardCpu, private DebugCpu {
  public:
    struct Config {
        uint64_t hart_id;
        uint64_t reset_pc;
        mem::RegionPtr memory;  // root of the CPU's first address space
    };
    VirtCpu(mem::Topology& topology, const Config& config);

    riscv::Hart& hart() { return hart_; }

    // BoardCpu
    void* guest() override { return &hart_; }
    mem::AddressSpace& address_space() override { return address_space_; }
    void attach(void* state) override { hart_.attach(static_cast<riscv::State*>(state)); }
    std::string name() const override;
    DebugCpu& debug() override { return *this; }
    void visit_state(StateVisitor& visitor) override;
    uint32_t state_version() const override;

  private:
    // DebugCpu
    unsigned general_registers() const override;
    unsigned registers() const override;
    std::optional<std::string> description(std::string_view file) const override;
    std::string read_register(unsigned number) const override;
    bool write_register(unsigned number, std::string_view bytes) override;
    std::optional<uint64_t> translate(uint64_t vaddr) override;

    riscv::Hart hart_;
    mem::AddressSpace address_space_;
};

class VirtBoard final : public Board {
  public:
    // `control` and the backends outlive the board.
    static Result<std::unique_ptr<VirtBoard>> create(const VirtConfig& config, MachineControl& control);
    // With a plan made before from config.boot, of which only harts and ram_size are looked at then.
    static Result<std::unique_ptr<VirtBoard>> create(const VirtConfig& config, virt::BootPlan plan,
                                                     MachineControl& control);
    ~VirtBoard() override;
    VirtBoard(const VirtBoard&) = delete;
    VirtBoard& operator=(const VirtBoard&) = delete;

    // Board
    const GuestArch& guest_arch() const override { return guest_arch_; }
    mem::Topology& topology() override { return topology_; }
    unsigned cpu_count() const override { return static_cast<unsigned>(cpus_.size()); }
    VirtCpu& cpu(unsigned index) override { return *cpus_[index]; }
    void reset() override;
    std::vector<SavedPart> saved_parts() override;  // virt_saved.cpp, as saved_facts()
    std::vector<std::pair<std::string, std::string>> saved_facts() const override;
    void set_rng_seed(uint64_t seed) override;
    Result<> plug(const DeviceConfig& device) override;
    Result<> ask_to_release(const std::string& id) override { return pci_.ask_to_release(id); }
    std::vector<DeviceConfig> take_released() override;
    const std::vector<uint8_t>& device_tree() const override { return device_tree_; }

  private:
    using Flashes = std::array<std::unique_ptr<CfiFlash>, virt::kFlashes>;

    VirtBoard(const VirtConfig& config, MachineControl& control, virt::BootPlan plan,
              std::shared_ptr<mem::RamBlock> ram, std::shared_ptr<mem::RamBlock> rom, Flashes flashes,
              std::unique_ptr<mem::Topology> topology);
    void add_clint(const VirtConfig& config, MachineControl& control);
    void add_semihosting(const VirtConfig& config, MachineControl& control);
    void add_virtio(const VirtConfig& config, MachineControl& control);
    void add_pci(const VirtConfig& config);
    void plug_pci(const VirtConfig& config, MachineControl& control);
    void load_images();
    void load(uint64_t paddr, std::span<const uint8_t> bytes);
    void load_device_tree();
    void fill_rng_seed();

    MachineControl& control_;
    const std::unique_ptr<mem::Topology> topology_owner_;
    mem::Topology& topology_;
    const riscv::CpuModel cpu_model_;
    const GuestArch guest_arch_;
    const mem::RegionPtr root_;
    std::vector<std::unique_ptr<VirtCpu>> cpus_;
    const std::vector<riscv::Hart*> harts_;
    mem::AddressSpace dma_space_;
    mem::Reader loader_;

    TestFinisher finisher_;
    Plic plic_;
    Clint clint_;
    std::unique_ptr<AclintSswi> sswi_;  // null: the board has none
    GoldfishRtc rtc_;
    Uart16550 uart_;
    FwCfg fw_cfg_;
    const Flashes flashes_;
    PciHost pci_;
    std::array<std::unique_ptr<VirtioMmio>, virt::kVirtioSlots> virtio_;

    semihosting::Host* semihosting_host_ = nullptr;
    std::vector<std::unique_ptr<HartSemihosting>> semihosting_;  // of each hart; empty without a host

    const std::vector<LoadSegment> segments_;
    const std::vector<uint8_t> reset_rom_;
    const uint64_t device_tree_address_;
    std::vector<uint8_t> device_tree_;
    std::optional<uint64_t> rng_state_;
};

namespace virt {

std::vector<CpuChoice> cpu_models();
Result<> check_cpu(const std::string& cpu);
Result<std::unique_ptr<BoardPlan>> plan_board(const BootConfig& config);
Result<> check_devices(std::span<const DeviceConfig> devices);

inline constexpr FixedProperty kFixed[] = {
    {"acpi", "off|auto"},   {"aia", "none"},         {"iommu-sys", "off|auto"},     {"usb", "off"},
    {"graphics", "on|off"}, {"mem-merge", "on|off"}, {"dump-guest-core", "on|off"},
};
inline constexpr MachineSwitch kSwitches[] = {{"aclint", &BootConfig::aclint}};
inline constexpr const DeviceType* kParts[] = {&kVirtioMmioType};

inline constexpr MachineType kMachineType = {
    .name = "virt",
    .description = "RISC-V VirtIO board",
    .max_cpus = kMaxHarts,
    .max_devices = kVirtioSlots + PciHost::kFunctions - 1,
    .disk = &kVirtioBlkType,
    .flashes = kFlashes,
    .parts = kParts,
    .fixed = kFixed,
    .switches = kSwitches,
    .check_devices = check_devices,
    .cpu_models = cpu_models,
    .check_cpu = check_cpu,
    .plan = plan_board,
};

}  // namespace virt

}  // namespace weft::hw
