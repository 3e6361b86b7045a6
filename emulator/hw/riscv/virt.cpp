#include "emulator/hw/riscv/virt.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "base/text_values.h"
#include "emulator/guest/riscv/cpu/debug_registers.h"
#include "emulator/guest/riscv/guest_arch.h"
#include "emulator/guest/riscv/isa/cpu_model.h"
#include "emulator/hw/boot/device_tree.h"
#include "emulator/hw/core/random.h"

namespace weft::hw {

namespace {

using namespace virt;

static_assert(kPlic.size == Plic::kSize && kClint.size == Clint::kSize && kUart.size == Uart16550::kSize);
static_assert(kAclintSswi.size == AclintSswi::kSize && kAclintMswi.base == kClint.base);
static_assert(kRtc.size == GoldfishRtc::kSize && kTestFinisher.size == TestFinisher::kSize);
static_assert(kFwCfg.size == FwCfg::kSize && kFlash.size == CfiFlash::kSize);
static_assert(kPciEcam.size == PciHost::kEcamSize && kPciIo.size == PciHost::kIoSize);
static_assert(kVirtio.size == VirtioMmio::kSize && 2 * kMaxHarts <= Plic::kMaxContexts);

std::vector<std::unique_ptr<VirtCpu>> make_cpus(mem::Topology& topology, const mem::RegionPtr& memory,
                                                unsigned count,
                                                const std::map<uint64_t, uint64_t>& beginnings) {
    std::vector<std::unique_ptr<VirtCpu>> cpus;
    for (unsigned i = 0; i < count; ++i) {
        const auto beginning = beginnings.find(i);
        const uint64_t pc = beginning != beginnings.end() ? beginning->second : kResetRom.base;
        cpus.push_back(std::make_unique<VirtCpu>(topology, VirtCpu::Config{i, pc, memory}));
    }
    return cpus;
}

std::vector<riscv::Hart*> harts_of(const std::vector<std::unique_ptr<VirtCpu>>& cpus) {
    std::vector<riscv::Hart*> harts;
    for (const auto& cpu : cpus) {
        harts.push_back(&cpu->hart());
    }
    return harts;
}

bool is_pci(const VirtConfig::Device& device) { return device.config.type().bus == Bus::pci; }

Result<std::vector<PciPlace>> assign_functions(const std::vector<VirtConfig::Device>& devices) {
    std::vector<const DeviceConfig*> configs;
    std::ranges::transform(devices, std::back_inserter(configs),
                           [](const auto& device) { return &device.config; });
    return place_on_pci(configs);
}

// Which device is in which slot; null: none.
using Slots = std::array<const VirtConfig::Device*, kVirtioSlots>;

Result<Slots> assign_slots(const std::vector<VirtConfig::Device>& devices) {
    Slots slots{};
    for (const VirtConfig::Device& device : devices) {
        if (!is_pci(device) && device.slot) {
            if (*device.slot >= kVirtioSlots) {
                return fail(
                    fmt::format("virtio slot {} does not exist (0 to {})", *device.slot, kVirtioSlots - 1));
            }
            if (slots[*device.slot] != nullptr) {
                return fail(fmt::format("virtio slot {} is given to two devices", *device.slot));
            }
            slots[*device.slot] = &device;
        }
    }
    for (const VirtConfig::Device& device : devices) {
        if (!is_pci(device) && !device.slot) {
            const auto free = std::find(slots.rbegin(), slots.rend(), nullptr);
            if (free == slots.rend()) {
                return fail(fmt::format("more than {} virtio devices", kVirtioSlots));
            }
            *free = &device;
        }
    }
    return slots;
}

// From the buses that were named.
Result<std::vector<VirtConfig::Device>> place_devices(std::span<const DeviceConfig> configs) {
    constexpr std::string_view kBus = "virtio-mmio-bus.";
    std::vector<VirtConfig::Device> devices;
    for (const DeviceConfig& config : configs) {
        VirtConfig::Device device{.config = config};
        const std::string_view bus = config.bus();
        if (!is_pci(device) && !bus.empty()) {
            const auto number = bus.starts_with(kBus) ? parse_uint(bus.substr(kBus.size())) : std::nullopt;
            if (!number || *number >= kVirtioSlots) {
                return fail(fmt::format("device {}: the board has no bus {} (there are {}0 to {}{})",
                                        in_quotes(config.type().name), in_quotes(bus), kBus, kBus,
                                        kVirtioSlots - 1));
            }
            device.slot = static_cast<unsigned>(*number);
        }
        devices.push_back(std::move(device));
    }
    return devices;
}

}  // namespace

VirtCpu::VirtCpu(mem::Topology& topology, const Config& config)
    : hart_(config.hart_id, config.reset_pc),
      address_space_(topology, fmt::format("cpu-memory-{}", config.hart_id), config.memory) {}

std::string VirtCpu::name() const { return fmt::format("hart {}", hart_.id()); }

unsigned VirtCpu::general_registers() const { return riscv::kDebugGeneralRegisters; }
unsigned VirtCpu::registers() const { return riscv::kDebugRegisters; }
std::optional<std::string> VirtCpu::description(std::string_view file) const {
    return riscv::debug_description(file, *hart_.state().model);
}
std::string VirtCpu::read_register(unsigned number) const {
    return riscv::read_debug_register(hart_.state(), number);
}
bool VirtCpu::write_register(unsigned number, std::string_view bytes) {
    return riscv::write_debug_register(hart_.state(), number, bytes);
}
std::optional<uint64_t> VirtCpu::translate(uint64_t vaddr) {
    return riscv::debug_translate(hart_.state(), vaddr);
}

Result<std::unique_ptr<VirtBoard>> VirtBoard::create(const VirtConfig& config, MachineControl& control) {
    auto plan = plan_boot(config.boot);
    if (!plan) {
        return std::unexpected(plan.error());
    }
    return create(config, std::move(*plan), control);
}

Result<std::unique_ptr<VirtBoard>> VirtBoard::create(const VirtConfig& config, BootPlan plan,
                                                     MachineControl& control) {
    if (config.boot.cpus == 0 || config.boot.cpus > kMaxHarts) {
        return fail(fmt::format("the virt board has 1 to {} harts, not {}", kMaxHarts, config.boot.cpus));
    }
    if (const auto slots = assign_slots(config.devices); !slots) {
        return std::unexpected(slots.error());
    }
    if (const auto functions = assign_functions(config.devices); !functions) {
        return std::unexpected(functions.error());
    }
    auto topology = std::make_unique<mem::Topology>();
    auto ram = topology->allocate_ram("riscv_virt_board.ram", config.boot.ram_size);
    auto rom = topology->allocate_ram("riscv_virt_board.mrom", kResetRom.size);
    for (const auto* block : {&ram, &rom}) {
        if (!*block) {
            return std::unexpected(block->error());
        }
    }
    if (Result<> backed = mem::back_ram(**ram, config.ram); !backed) {
        return std::unexpected(backed.error().within("the board's memory"));
    }
    Flashes flashes;
    for (unsigned unit = 0; unit < kFlashes; ++unit) {
        auto flash = CfiFlash::create(*topology, control, fmt::format("virt.flash{}", unit).c_str(),
                                      config.flash[unit]);
        if (!flash) {
            return std::unexpected(flash.error());
        }
        flashes[unit] = std::move(*flash);
    }
    return std::unique_ptr<VirtBoard>(new VirtBoard(config, control, std::move(plan), std::move(*ram),
                                                    std::move(*rom), std::move(flashes),
                                                    std::move(topology)));
}

VirtBoard::VirtBoard(const VirtConfig& config, MachineControl& control, BootPlan plan,
                     std::shared_ptr<mem::RamBlock> ram, std::shared_ptr<mem::RamBlock> rom, Flashes flashes,
                     std::unique_ptr<mem::Topology> topology)
    : control_(control),
      topology_owner_(std::move(topology)),
      topology_(*topology_owner_),
      cpu_model_(plan.cpu),
      guest_arch_(riscv::guest_arch(cpu_model_)),
      root_(topology_.container("system", mem::kEntireSpace)),
      cpus_(make_cpus(topology_, root_, config.boot.cpus, plan.beginnings)),
      harts_(harts_of(cpus_)),
      dma_space_(topology_, "dma", root_),
      loader_(dma_space_),
      finisher_(topology_, control),
      plic_(topology_, control, harts_),
      clint_(topology_, control, harts_),
      rtc_(topology_, control, plic_.line(kRtcIrq)),
      uart_(topology_, control, config.serial, plic_.line(kUartIrq)),
      fw_cfg_(dma_space_, control, std::move(plan.fw_cfg)),
      flashes_(std::move(flashes)),
      pci_(topology_, root_,
           {plic_.line(kPciIrq), plic_.line(kPciIrq + 1), plic_.line(kPciIrq + 2), plic_.line(kPciIrq + 3)}),
      segments_(std::move(plan.segments)),
      reset_rom_(std::move(plan.reset_rom)),
      device_tree_address_(plan.device_tree_address),
      device_tree_(std::move(plan.device_tree)),
      rng_state_(config.rng_seed) {
    {
        const mem::Transaction transaction(topology_);
        root_->add_subregion(kResetRom.base, topology_.rom(std::move(rom)));
        root_->add_subregion(kTestFinisher.base, finisher_.region());
        root_->add_subregion(kRtc.base, rtc_.region());
        add_clint(config, control);
        root_->add_subregion(kPlic.base, plic_.region());
        root_->add_subregion(kUart.base, uart_.region());
        root_->add_subregion(kFwCfg.base, fw_cfg_.region());
        for (unsigned unit = 0; unit < kFlashes; ++unit) {
            root_->add_subregion(kFlash.base + unit * kFlash.size, flashes_[unit]->region());
        }
        root_->add_subregion(kRamBase, topology_.ram(std::move(ram)));
        add_virtio(config, control);
        add_pci(config);
    }
    // Not within the transaction: where the guest does it, one begins under the bridge's lock.
    plug_pci(config, control);
    add_semihosting(config, control);
    load_images();
}

VirtBoard::~VirtBoard() = default;

void VirtBoard::add_semihosting(const VirtConfig& config, MachineControl& control) {
    if (config.semihosting == nullptr) {
        return;
    }
    std::vector<LoadSegment> used = segments_;
    used.push_back({.paddr = device_tree_address_, .memory_size = device_tree_.size(), .bytes = {}});
    const auto heap = largest_gap(kRamBase, kRamBase + config.boot.ram_size, used);
    for (const auto& cpu : cpus_) {
        semihosting_.push_back(std::make_unique<HartSemihosting>(*config.semihosting, control, heap));
        cpu->hart().set_semihosting(semihosting_.back().get());
    }
    semihosting_host_ = config.semihosting;
}

// The registers of ACLINT's MSWI and MTIMER are those of the CLINT, at the same addresses (RISC-V ACLINT specification 1.0, chapter
// "Introduction"): the CLINT is seen in two pieces, and nothing behind them.
void VirtBoard::add_clint(const VirtConfig& config, MachineControl& control) {
    if (!config.boot.aclint) {
        root_->add_subregion(kClint.base, clint_.region());
        return;
    }
    sswi_ = std::make_unique<AclintSswi>(topology_, control, harts_);
    for (const auto& [name, range] :
         {std::pair("riscv.aclint.mswi", kAclintMswi), std::pair("riscv.aclint.mtimer", kAclintMtimer)}) {
        root_->add_subregion(range.base,
                             topology_.alias(name, clint_.region(), range.base - kClint.base, range.size));
    }
    root_->add_subregion(kAclintSswi.base, sswi_->region());
}

void VirtBoard::add_virtio(const VirtConfig& config, MachineControl& control) {
    const Slots slots = *assign_slots(config.devices);
    for (unsigned slot = 0; slot < kVirtioSlots; ++slot) {
        std::unique_ptr<VirtioDevice> device;
        if (slots[slot] != nullptr) {
            const DeviceConfig& wanted = slots[slot]->config;
            device = wanted.type().make_virtio(wanted, control);
        }
        virtio_[slot] = std::make_unique<VirtioMmio>(dma_space_, control, std::move(device),
                                                     plic_.line(kVirtioIrq + slot), config.virtio_layout);
        root_->add_subregion(kVirtio.base + slot * kVirtio.size, virtio_[slot]->region());
    }
}

void VirtBoard::add_pci(const VirtConfig& config) {
    const auto window = [&](const char* name, Range range, const mem::RegionPtr& bus, uint64_t from) {
        root_->add_subregion(range.base, topology_.alias(name, bus, from, range.size));
    };
    root_->add_subregion(kPciEcam.base, pci_.ecam());
    window("pci-io-window", kPciIo, pci_.io_bars(), 0);
    window("pci-memory-window", kPciMemory, pci_.memory_bars(), kPciMemory.base);
    const Range high = pci_high_memory(config.boot.ram_size);
    window("pci-high-memory-window", high, pci_.memory_bars(), high.base);
}

void VirtBoard::plug_pci(const VirtConfig& config, MachineControl& control) {
    const auto places = *assign_functions(config.devices);
    for (const PciPlace& place : places) {
        const DeviceConfig& wanted = *place.config;
        const PciSite& site = *pci_.site_of(place.bus);
        pci_.plug(place.bus, place.address, {wanted.type().make_pci(wanted, site, control), wanted},
                  place.several);
    }
}

Result<> VirtBoard::plug(const DeviceConfig& device) {
    if (Result<> fits = check_hot_place(device); !fits) {
        return fits;
    }
    const PciSite* const site = pci_.site_of(device.bus());
    if (site == nullptr) {
        return fail(fmt::format("device {}: the board has no bus {}", in_quotes(device.type().name),
                                in_quotes(device.bus())));
    }
    return pci_.hot_plug(device.bus(), {device.type().make_pci(device, *site, control_), device});
}

std::vector<DeviceConfig> VirtBoard::take_released() {
    std::vector<DeviceConfig> gone;
    for (PciBus::Plugged& plugged : pci_.take_released()) {
        gone.push_back(std::move(*plugged.config));
    }
    return gone;
}

void VirtBoard::reset() {
    pci_.reset();
    for (const auto& virtio : virtio_) {
        virtio->reset();
    }
    for (const auto& flash : flashes_) {
        flash->reset();
    }
    fw_cfg_.reset();
    uart_.reset();
    rtc_.reset();
    clint_.reset();
    for (const auto& hart : semihosting_) {
        hart->reset();
    }
    if (semihosting_host_ != nullptr) {
        semihosting_host_->reset();
    }
    // After those that drive its inputs.
    plic_.reset();
    load_images();
}

void VirtBoard::load(uint64_t paddr, std::span<const uint8_t> bytes) {
    // The plan checked that all of it is in RAM or ROM.
    WEFT_ASSERT(loader_.load_image(paddr, bytes) == DeviceStatus::ok);
}

void VirtBoard::load_images() {
    static constexpr std::array<uint8_t, 4096> kZeros{};
    for (const LoadSegment& segment : segments_) {
        load(segment.paddr, segment.bytes);
        for (uint64_t done = segment.bytes.size(); done != segment.memory_size;) {
            const uint64_t part = std::min<uint64_t>(segment.memory_size - done, kZeros.size());
            load(segment.paddr + done, std::span(kZeros).first(part));
            done += part;
        }
    }
    load_device_tree();
    load(kResetRom.base, reset_rom_);
}

void VirtBoard::load_device_tree() {
    fill_rng_seed();
    load(device_tree_address_, device_tree_);
}

void VirtBoard::set_rng_seed(uint64_t seed) {
    rng_state_ = seed;
    for (riscv::Hart* const hart : harts_) {
        hart->fix_entropy(seed);
    }
    load_device_tree();
}

void VirtBoard::fill_rng_seed() {
    const std::span<uint8_t> seed = device_tree_property(device_tree_, "/chosen", "rng-seed");
    for (size_t done = 0; done < seed.size();) {
        if (rng_state_) {
            seed[done++] = splitmix64_byte(*rng_state_);
            continue;
        }
        const ssize_t got = getrandom(seed.data() + done, seed.size() - done, 0);
        // A signal may interrupt it; it has no other way to fail for so few bytes.
        done += got > 0 ? static_cast<size_t>(got) : 0;
    }
}

namespace virt {

namespace {

class VirtPlan final : public BoardPlan {
  public:
    // Of the configuration, the files are in the plan already.
    VirtPlan(const BootConfig& config, BootPlan plan)
        : cpus_(config.cpus), ram_size_(config.ram_size), aclint_(config.aclint), plan_(std::move(plan)) {}

    Result<std::unique_ptr<Board>> build(const BoardBackends& backends, MachineControl& control) override {
        VirtConfig config;
        config.boot.cpus = cpus_;
        config.boot.ram_size = ram_size_;
        config.boot.aclint = aclint_;
        config.ram = backends.ram;
        config.serial = backends.serial;
        config.semihosting = backends.semihosting;
        std::copy_n(backends.flash.begin(), std::min<size_t>(backends.flash.size(), kFlashes),
                    config.flash.begin());
        auto devices = place_devices(backends.devices);
        if (!devices) {
            return std::unexpected(devices.error());
        }
        config.devices = std::move(*devices);
        for (const DeviceConfig& part : backends.parts) {
            if (&part.type() == &kVirtioMmioType) {
                config.virtio_layout = virtio_mmio_layout(part);
            }
        }
        return VirtBoard::create(config, std::move(plan_), control);
    }

    const std::vector<uint8_t>& device_tree() const override { return plan_.device_tree; }

  private:
    const unsigned cpus_;
    const uint64_t ram_size_;
    const bool aclint_;
    BootPlan plan_;
};

}  // namespace

std::vector<CpuChoice> cpu_models() {
    std::vector<CpuChoice> choices;
    for (const riscv::CpuModel& model : riscv::cpu_models()) {
        choices.push_back({std::string(model.name),
                           fmt::format("{}, {}", riscv::isa_string(model), riscv::mmu_type(model))});
    }
    return choices;
}

Result<> check_cpu(const std::string& cpu) {
    const auto model = riscv::parse_cpu_model(cpu);
    return model ? Result<>() : std::unexpected(model.error());
}

Result<> check_devices(std::span<const DeviceConfig> devices) {
    const auto placed = place_devices(devices);
    if (!placed) {
        return std::unexpected(placed.error());
    }
    if (const auto slots = assign_slots(*placed); !slots) {
        return std::unexpected(slots.error());
    }
    const auto functions = assign_functions(*placed);
    return functions ? Result<>() : std::unexpected(functions.error());
}

Result<std::unique_ptr<BoardPlan>> plan_board(const BootConfig& config) {
    auto plan = plan_boot(config);
    if (!plan) {
        return std::unexpected(plan.error());
    }
    return std::make_unique<VirtPlan>(config, std::move(*plan));
}

}  // namespace virt

}  // namespace weft::hw
