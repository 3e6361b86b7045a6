#include "emulator/hw/pci/bus.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/assert.h"
#include "emulator/hw/pci/bridge.h"

namespace weft::hw {

namespace {

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
    const auto slot = hex(slot_text, PciBus::kSlots - 1);
    std::string_view function_text = dot == std::string_view::npos ? "0" : text.substr(dot + 1);
    if (function_text.starts_with("0x")) {
        function_text.remove_prefix(2);
    }
    const auto function = hex(function_text, 7);
    return slot && function ? std::optional(PciAddress{*slot, *function}) : std::nullopt;
}

void PciBus::plug(PciAddress address, Plugged plugged, bool multifunction) {
    WEFT_ASSERT(at(address.index()) == nullptr);
    plugged.function->plug(address.slot, address.function, multifunction);
    if (PciBridge* const bridge = plugged.function->bridge(); bridge != nullptr) {
        bridges_.push_back(bridge);
    }
    functions_[address.index()] = std::move(plugged);
}

std::vector<PciBus::Plugged> PciBus::take_all() {
    std::vector<Plugged> taken;
    for (Plugged& plugged : functions_) {
        if (plugged.function != nullptr) {
            taken.push_back(std::exchange(plugged, {}));
        }
    }
    bridges_.clear();
    return taken;
}

bool PciBus::empty() const {
    return std::ranges::all_of(functions_,
                               [](const Plugged& plugged) { return plugged.function == nullptr; });
}

void PciBus::reset() {
    for (const Plugged& plugged : functions_) {
        if (plugged.function != nullptr) {
            plugged.function->reset();
        }
    }
}

PciFunction* PciBus::find(unsigned own, unsigned bus, unsigned index) const {
    if (bus == own) {
        return at(index);
    }
    for (const PciBridge* const bridge : bridges_) {
        if (bridge->hands_on(bus)) {
            return bridge->bus().find(bridge->secondary(), bus, index);
        }
    }
    return nullptr;
}

std::optional<PciBus::Found> PciBus::find_device(std::string_view id) const {
    for (const Plugged& plugged : functions_) {
        if (plugged.config && plugged.config->id() == id) {
            return Found{this, &*plugged.config};
        }
    }
    for (const PciBridge* const bridge : bridges_) {
        if (const auto found = bridge->bus().find_device(id)) {
            return found;
        }
    }
    return std::nullopt;
}

}  // namespace weft::hw
