#include "emulator/hw/pci/host.h"

#include <charconv>
#include <utility>

#include "base/assert.h"

namespace weft::hw {

namespace {

constexpr mem::MemoryRegionOps kEcamOps = mmio_ops<PciHost>({1, 8, false}, {1, 4, false});

// Nobody claims the access: reads give ones, writes are lost (PCI Express Base Specification, 2.3.2: Unsupported Request, as host
// bridges of personal computers answer it).
constexpr mem::MemoryRegionOps kNobodyOps = {
    [](void*, uint64_t, unsigned, uint64_t* value) {
        *value = UINT64_MAX;
        return DeviceStatus::ok;
    },
    [](void*, uint64_t, unsigned, uint64_t) { return DeviceStatus::ok; },
    {1, 8, true},
    {1, 8, true},
};

mem::RegionPtr bus_space(mem::Topology& topology, const char* name, uint64_t size) {
    mem::RegionPtr space = topology.container(name, size);
    space->add_subregion(0, topology.io("pci-nobody", size, kNobodyOps, nullptr, nullptr));
    return space;
}

// The bridge as a function of its own bus.
constexpr PciFunction::Identity kBridge = {
    .vendor = 0x1b36,
    .device = 0x0008,
    .revision = 0,
    .class_code = 0x060000,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
};

// It has nothing but its configuration space.
class RootFunction final : public PciFunction {
  public:
    using PciFunction::PciFunction;
    bool can_be_saved() const override { return true; }
};

std::optional<unsigned> hex(std::string_view text, unsigned max) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return error == std::errc() && end == text.data() + text.size() && value <= max ? std::optional(value)
                                                                                    : std::nullopt;
}

}  // namespace

std::optional<PciAddress> parse_pci_address(std::string_view text) {
    const size_t dot = text.find('.');
    std::string_view slot_text = text.substr(0, dot);
    if (slot_text.starts_with("0x")) {
        slot_text.remove_prefix(2);
    }
    const auto slot = hex(slot_text, PciHost::kSlots - 1);
    const auto function = dot == std::string_view::npos ? std::optional(0u) : hex(text.substr(dot + 1), 7);
    return slot && function ? std::optional(PciAddress{*slot, *function}) : std::nullopt;
}

PciHost::PciHost(mem::Topology& topology, mem::RegionPtr memory,
                 const std::array<IrqLine, PciWires::kCount>& lines)
    : wires_(lines),
      site_{topology, std::move(memory), bus_space(topology, "pci-memory", mem::kEntireSpace),
            bus_space(topology, "pci-io", kIoSize), wires_},
      ecam_(topology.io("pcie-ecam", kEcamSize, kEcamOps, this, &mutex_)) {
    plug({0, 0}, std::make_unique<RootFunction>(site_, "gpex-root", kBridge), false);
}

void PciHost::plug(PciAddress address, std::unique_ptr<PciFunction> function, bool multifunction) {
    const MutexLock lock(mutex_);
    WEFT_ASSERT(functions_[address.index()] == nullptr);
    function->plug(address.slot, address.function, multifunction);
    functions_[address.index()] = std::move(function);
}

void PciHost::reset() {
    const MutexLock lock(mutex_);
    for (const auto& function : functions_) {
        if (function != nullptr) {
            function->reset();
        }
    }
}

std::vector<PciHost::Plugged> PciHost::plugged() const {
    const MutexLock lock(mutex_);
    std::vector<Plugged> all;
    for (unsigned index = 0; index < kFunctions; ++index) {
        if (const PciFunction* const function = functions_[index].get(); function != nullptr) {
            all.push_back({{index / 8, index % 8}, function->vendor_and_device(), function->can_be_saved()});
        }
    }
    return all;
}

void PciHost::visit_state(PciAddress address, StateVisitor& visitor) {
    const MutexLock lock(mutex_);
    functions_[address.index()]->visit_state(visitor);
}

// Bits 27 to 20 are the bus, 19 to 15 the slot, 14 to 12 the function.
PciFunction* PciHost::at(uint64_t offset) {
    const uint64_t index = offset >> 12;
    return index < kFunctions && (offset & 0xfff) < PciFunction::kConfigSize ? functions_[index].get()
                                                                             : nullptr;
}

uint64_t PciHost::mmio_read(uint64_t offset, unsigned size) {
    PciFunction* const function = at(offset);
    return function != nullptr ? function->config_read(offset & 0xff, size) : UINT32_MAX;
}

void PciHost::mmio_write(uint64_t offset, unsigned size, uint64_t value) {
    if (PciFunction* const function = at(offset); function != nullptr) {
        function->config_write(offset & 0xff, size, static_cast<uint32_t>(value));
    }
}

}  // namespace weft::hw
