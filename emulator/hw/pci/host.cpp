#include "emulator/hw/pci/host.h"

#include <fmt/format.h>

#include <utility>

#include "base/assert.h"
#include "base/text_values.h"
#include "emulator/hw/pci/root_port.h"

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
    const char* why_not_saved() override { return nullptr; }
};

}  // namespace

PciHost::PciHost(mem::Topology& topology, mem::RegionPtr memory,
                 const std::array<IrqLine, PciWires::kCount>& lines)
    : wires_(lines),
      site_{topology, std::move(memory), bus_space(topology, "pci-memory", mem::kEntireSpace),
            bus_space(topology, "pci-io", kIoSize), wires_},
      ecam_(topology.io("pcie-ecam", kEcamSize, kEcamOps, this, &mutex_)) {
    plug({0, 0}, std::make_unique<RootFunction>(site_, "gpex-root", kBridge), false);
}

void PciHost::plug(PciAddress address, std::unique_ptr<PciFunction> function, bool multifunction) {
    plug({}, address, {std::move(function), std::nullopt}, multifunction);
}

void PciHost::plug(std::string_view bus, PciAddress address, PciBus::Plugged plugged, bool multifunction) {
    const MutexLock lock(mutex_);
    if (bus.empty()) {
        bus_.plug(address, std::move(plugged), multifunction);
        return;
    }
    PciRootPort* const behind = port(bus);
    WEFT_ASSERT(behind != nullptr);
    behind->plug_cold(address, std::move(plugged), multifunction);
}

PciRootPort* PciHost::port(std::string_view bus) {
    for (PciBridge* const bridge : bus_.bridges()) {
        // Root ports are the only bridges there are.
        if (auto* const port = static_cast<PciRootPort*>(bridge); port->name() == bus) {
            return port;
        }
    }
    return nullptr;
}

const PciSite* PciHost::site_of(std::string_view bus) {
    if (bus.empty()) {
        return &site_;
    }
    const MutexLock lock(mutex_);
    const PciRootPort* const behind = port(bus);
    return behind != nullptr ? &behind->below() : nullptr;
}

Result<> PciHost::hot_plug(std::string_view bus, PciBus::Plugged plugged) {
    const MutexLock lock(mutex_);
    PciRootPort* const behind = port(bus);
    return behind != nullptr ? behind->plug_hot(std::move(plugged))
                             : fail(fmt::format("there is no bus {}", in_quotes(bus)));
}

Result<> PciHost::ask_to_release(std::string_view id) {
    const MutexLock lock(mutex_);
    for (PciBridge* const bridge : bus_.bridges()) {
        if (bridge->bus().find_device(id)) {
            return static_cast<PciRootPort*>(bridge)->press_button();
        }
    }
    return fail(fmt::format("the device is on bus {}, which devices stay on (they leave a pcie-root-port)",
                            in_quotes(kBusName)));
}

std::vector<PciBus::Plugged> PciHost::take_released() {
    const MutexLock lock(mutex_);
    std::vector<PciBus::Plugged> released;
    for (PciBridge* const bridge : bus_.bridges()) {
        for (PciBus::Plugged& plugged : static_cast<PciRootPort*>(bridge)->take_released()) {
            released.push_back(std::move(plugged));
        }
    }
    return released;
}

std::optional<DeviceConfig> PciHost::device(std::string_view id) {
    const MutexLock lock(mutex_);
    const auto found = bus_.find_device(id);
    return found ? std::optional(*found->config) : std::nullopt;
}

void PciHost::reset() {
    const MutexLock lock(mutex_);
    bus_.reset();
}

std::vector<PciHost::Plugged> PciHost::plugged() const {
    const MutexLock lock(mutex_);
    std::vector<Plugged> all;
    for (unsigned index = 0; index < PciBus::kFunctions; ++index) {
        PciFunction* const function = bus_.at(index);
        if (function == nullptr) {
            continue;
        }
        const PciAddress address{index / 8, index % 8};
        all.push_back({{address}, function->vendor_and_device(), function->why_not_saved()});
        for (unsigned behind = 0; function->bridge() != nullptr && behind < PciBus::kFunctions; ++behind) {
            if (PciFunction* const one = function->bridge()->bus().at(behind); one != nullptr) {
                all.push_back({{.address = {behind / 8, behind % 8}, .port = address},
                               one->vendor_and_device(),
                               one->why_not_saved()});
            }
        }
    }
    return all;
}

const PciBus& PciHost::bus_of(const Place& place) const {
    return place.port ? bus_.at(place.port->index())->bridge()->bus() : bus_;
}

void PciHost::visit_state(const Place& place, StateVisitor& visitor) {
    const MutexLock lock(mutex_);
    bus_of(place).at(place.address.index())->visit_state(visitor);
}

// Bits 27 to 20 are the bus, 19 to 15 the slot, 14 to 12 the function.
PciFunction* PciHost::at(uint64_t offset) {
    return (offset & 0xfff) < PciFunction::kConfigSize
               ? bus_.find(0, static_cast<unsigned>(offset >> 20), offset >> 12 & 0xff)
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
