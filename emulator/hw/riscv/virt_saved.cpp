// What of the board is saved, and what has to be the same where it is loaded.
#include <fmt/format.h>

#include "emulator/guest/riscv/cpu/saved_state.h"
#include "emulator/guest/riscv/isa/cpu_model.h"
#include "emulator/hw/riscv/virt.h"

namespace weft::hw {

namespace {

const char* layout_name(VirtioMmioLayout layout) {
    return layout == VirtioMmioLayout::legacy ? "legacy" : "modern";
}

std::string slot_name(unsigned slot) { return fmt::format("virtio-mmio.{}", slot); }

std::string function_name(const PciHost::Place& place) {
    const auto text = [](PciAddress address) {
        return fmt::format("{:02x}.{}", address.slot, address.function);
    };
    return place.port ? fmt::format("pci.{}-{}", text(*place.port), text(place.address))
                      : fmt::format("pci.{}", text(place.address));
}

std::string refusal_of(const char* reason, const std::string& name, uint32_t id) {
    return reason == nullptr
               ? std::string()
               : fmt::format("{}, a device of number {:#x}, cannot be saved: {}", name, id, reason);
}

}  // namespace

void VirtCpu::visit_state(StateVisitor& visitor) { riscv::visit_state(hart_.state(), visitor); }
uint32_t VirtCpu::state_version() const { return riscv::kHartStateVersion; }

std::vector<SavedPart> VirtBoard::saved_parts() {
    std::vector<SavedPart> parts;
    const auto add = [&parts](std::string name, auto& device, std::string refusal = {}) {
        parts.push_back({.name = std::move(name),
                         .refusal = std::move(refusal),
                         .visit = [&device](StateVisitor& visitor) { device.visit_state(visitor); }});
    };
    for (const PciHost::Plugged& function : pci_.plugged()) {
        const std::string name = function_name(function.place);
        parts.push_back(
            {.name = name,
             .refusal = refusal_of(function.why_not_saved, name, function.vendor_and_device >> 16),
             .visit = [this, place = function.place](StateVisitor& visitor) {
                 pci_.visit_state(place, visitor);
             }});
    }
    for (unsigned slot = 0; slot < virt::kVirtioSlots; ++slot) {
        VirtioMmio& virtio = *virtio_[slot];
        if (virtio.device_id() != 0) {
            add(slot_name(slot), virtio,
                refusal_of(virtio.why_not_saved(), slot_name(slot), virtio.device_id()));
        }
    }
    for (unsigned unit = 0; unit < virt::kFlashes; ++unit) {
        add(fmt::format("flash{}", unit), *flashes_[unit]);
    }
    add("fw_cfg", fw_cfg_);
    add("serial", uart_);
    add("rtc", rtc_);
    add("clint", clint_);
    // After those that drive its inputs.
    add("plic", plic_);
    parts.push_back({.name = "board",
                     .refusal = semihosting_host_ != nullptr
                                    ? "files that semihosting has open are the host's, and cannot be saved"
                                    : "",
                     .visit = [this](StateVisitor& visitor) {
                         visitor.maybe("random numbers", rng_state_,
                                       [&](uint64_t& state) { visitor.number("state", state); });
                     }});
    return parts;
}

std::vector<std::pair<std::string, std::string>> VirtBoard::saved_facts() const {
    std::vector<std::pair<std::string, std::string>> facts{
        {"machine", "virt"},
        {"CPU", fmt::format("{},{}", riscv::isa_string(cpu_model_), riscv::mmu_type(cpu_model_))},
        {"pmu-mask", fmt::format("{:#x}", cpu_model_.pmu_mask)},
        {"-smp", fmt::format("{}", cpus_.size())},
        {"aclint", sswi_ != nullptr ? "on" : "off"},
        {"virtio-mmio", layout_name(virtio_[0]->layout())},
    };
    for (unsigned slot = 0; slot < virt::kVirtioSlots; ++slot) {
        facts.emplace_back(slot_name(slot), fmt::format("device {}", virtio_[slot]->device_id()));
    }
    for (const PciHost::Plugged& function : pci_.plugged()) {
        facts.emplace_back(function_name(function.place),
                           fmt::format("function {:08x}", function.vendor_and_device));
    }
    return facts;
}

}  // namespace weft::hw
