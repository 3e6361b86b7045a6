#include "emulator/hw/core/device_type.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/bits.h"

namespace weft::hw {

namespace {

const char* bus_name(Bus bus) {
    switch (bus) {
        case Bus::virtio:
            return "virtio-bus";
        case Bus::pci:
            return "PCI";
        case Bus::virtio_serial:
            return "virtio-serial-bus";
        case Bus::board:
            return "board";
    }
    return "";
}

// How a property is written after '='.
const char* placeholder(PropertyKind kind) {
    switch (kind) {
        case PropertyKind::text:
            return "TEXT";
        case PropertyKind::number:
        case PropertyKind::power_of_two:
            return "N";
        case PropertyKind::on_off:
            return "on|off";
        case PropertyKind::on_off_auto:
            return "on|off|auto";
        case PropertyKind::accepted:
            return "WORD";
        case PropertyKind::mac:
            return "XX:XX:XX:XX:XX:XX";
        case PropertyKind::drive:
        case PropertyKind::rng:
        case PropertyKind::netdev:
        case PropertyKind::fsdev:
        case PropertyKind::chardev:
            return "ID";
    }
    return "";
}

std::string allowed(const DeviceProperty& property) {
    switch (property.kind) {
        case PropertyKind::text:
            return fmt::format("up to {} bytes", property.max);
        case PropertyKind::number:
            return fmt::format("a number from {} to {}", property.min, property.max);
        case PropertyKind::power_of_two:
            return fmt::format("a power of two from {} to {}", property.min, property.max);
        case PropertyKind::on_off:
            return "on or off";
        case PropertyKind::on_off_auto:
            return "on, off or auto";
        case PropertyKind::accepted:
            return property.default_value;
        case PropertyKind::drive:
            return "the id of a -drive";
        case PropertyKind::mac:
            return "an address XX:XX:XX:XX:XX:XX of one card";
        case PropertyKind::netdev:
            return "the id of a -netdev";
        case PropertyKind::fsdev:
            return "the id of a -fsdev";
        case PropertyKind::chardev:
            return "the id of a -chardev";
        case PropertyKind::rng:
            return "the id of an -object that gives random bytes";
    }
    return "";
}

// Of all devices on PCI; the last three change nothing.
constexpr PciPropertyText kPciProperties[] = {
    {"addr", "str", "SLOT[.FN], hexadecimal: the place on the bus; none: a slot that is free"},
    {"multifunction", "bool", "on|off: accepted; a slot with several functions says so anyway"},
    {"disable-legacy", "OnOffAuto",
     "on|off|auto: without virtio's legacy interface (default: on behind a root port, else off)"},
    {"disable-modern", "bool", "off"},
    {"vectors", "uint32", "a number: accepted, there are none"},
    {"rombar", "uint32", "a number: accepted, there is no ROM"},
    {"romfile", "str", "accepted, there is no ROM"},
};

// Of all virtio devices. What changes something for the guest can only be what it is.
constexpr struct {
    const char* name;
    const char* values;
} kVirtioProperties[] = {
    {"ioeventfd", "on|off"},
    {"event_idx", "on"},
    {"indirect_desc", "on"},
    {"packed", "off"},
    {"any_layout", "on"},
    {"iommu_platform", "off"},
    {"ats", "off"},
    {"in_order", "off"},
    {"queue_reset", "off"},
    {"notify_on_empty", "on|off"},
    {"use-started", "on|off"},
    {"use-disabled-flag", "on|off"},
    {"page-per-vq", "off"},
    {"modern-pio-notify", "off"},
};

bool is_pci_property(std::string_view key) {
    return std::ranges::any_of(kPciProperties, [&](const auto& property) { return key == property.name; });
}

}  // namespace

DeviceConfig::DeviceConfig(const DeviceType& type)
    : type_(&type), values_(type.properties.size()), given_(type.properties.size()) {
    for (size_t i = 0; i < values_.size(); ++i) {
        if (type.properties[i].default_value != nullptr) {
            WEFT_ASSERT(set(i, type.properties[i].default_value));
        }
    }
}

Result<DeviceConfig> DeviceConfig::parse(const DeviceType& type, std::span<const KeyValue> items) {
    DeviceConfig config(type);
    for (const KeyValue& item : items) {
        if (Result<> taken = config.take(item); !taken) {
            return std::unexpected(taken.error());
        }
    }
    for (size_t i = 0; i < config.given_.size(); ++i) {
        const DeviceProperty& property = type.properties[i];
        if (!config.given_[i] && property.default_value == nullptr) {
            return fail(fmt::format("device {} needs {}={}", in_quotes(type.name), property.name,
                                    placeholder(property.kind)));
        }
    }
    return config;
}

Result<> DeviceConfig::check(const DeviceType& type, const KeyValue& item) {
    return DeviceConfig(type).take(item);
}

Result<> DeviceConfig::take(const KeyValue& item) {
    const std::string device = "device " + in_quotes(type_->name);
    const auto property = std::ranges::find(type_->properties, item.key, &DeviceProperty::name);
    const bool known = property != type_->properties.end();
    if (!known && type_->bus == Bus::pci && is_pci_property(item.key)) {
        Result<> taken = take_pci(item);
        return taken ? taken : std::unexpected(taken.error().within(device));
    }
    if (!known && type_->make_virtio != nullptr) {
        const auto common = std::ranges::find(kVirtioProperties, item.key,
                                              [](const auto& row) { return std::string_view(row.name); });
        if (common != std::end(kVirtioProperties)) {
            Result<> taken = take_virtio(item, common->values);
            return taken ? taken : std::unexpected(taken.error().within(device));
        }
    }
    // Firmware of these boards does not ask in which order devices are to be booted from.
    if (!known && item.key == "bootindex") {
        const std::string value = item.value.value_or("");
        return parse_uint(value)
                   ? Result<>()
                   : fail(fmt::format("{}: bootindex is a number, not {}", device, in_quotes(value)));
    }
    if (!known && item.key != "id" && item.key != "bus") {
        return fail(fmt::format("{} has no property {}", device, in_quotes(item.key)));
    }
    // A switch may be turned on by its name alone.
    const bool alone = !item.value && known && property->kind == PropertyKind::on_off;
    if (!alone && (!item.value || item.value->empty())) {
        return fail(fmt::format("{} needs a value", in_quotes(item.key)));
    }
    if (!known) {
        (item.key == "bus" ? bus_ : id_) = *item.value;
        return {};
    }
    const auto index = static_cast<size_t>(property - type_->properties.begin());
    if (Result<> done = set(index, item.value.value_or("on")); !done) {
        return std::unexpected(done.error().within(device));
    }
    given_[index] = true;
    return {};
}

Result<> DeviceConfig::take_virtio(const KeyValue& item, const char* values) {
    const std::string value = item.value.value_or("on");
    const std::optional<bool> on = parse_bool(value);
    const std::vector<std::string> words = split(values, '|');
    const std::string word = on ? (*on ? "on" : "off") : value;
    if (std::ranges::find(words, word) == words.end()) {
        return fail(fmt::format("{}={} is not supported (only {})", item.key, value, values));
    }
    return {};
}

Result<> DeviceConfig::take_pci(const KeyValue& item) {
    const std::string value = item.value.value_or("");
    const std::optional<bool> on = item.value ? parse_bool(value) : std::optional(true);
    if (item.key == "addr") {
        if (value.empty()) {
            return fail("'addr' needs a value");
        }
        pci_.address = value;
    } else if (item.key == "multifunction") {
        if (!on) {
            return fail(fmt::format("multifunction is on or off, not {}", in_quotes(value)));
        }
        pci_.multifunction = *on;
    } else if (item.key == "disable-legacy") {
        if (!on && value != "auto") {
            return fail(fmt::format("disable-legacy is on, off or auto, not {}", in_quotes(value)));
        }
        pci_.legacy = !on.value_or(false);
        pci_.legacy_said = on.has_value();
    } else if (item.key == "disable-modern") {
        if (on != false) {
            return fail("disable-modern=on is not supported");
        }
    } else if (item.key != "romfile" && !parse_uint(value)) {
        return fail(fmt::format("{} is a number, not {}", item.key, in_quotes(value)));
    }
    return {};
}

Result<> DeviceConfig::set(size_t index, const std::string& text) {
    const DeviceProperty& property = type_->properties[index];
    bool valid = true;
    switch (property.kind) {
        case PropertyKind::text:
            valid = text.size() <= property.max;
            values_[index] = text;
            break;
        case PropertyKind::number:
        case PropertyKind::power_of_two: {
            const std::optional<uint64_t> number = parse_uint(text);
            const bool none =
                text.empty() && property.default_value != nullptr && *property.default_value == '\0';
            valid = none || (number && *number >= property.min && *number <= property.max &&
                             (property.kind == PropertyKind::number || is_power_of_two(*number)));
            values_[index] = number ? Value(*number) : Value();
            break;
        }
        case PropertyKind::on_off: {
            const std::optional<bool> on = parse_bool(text);
            valid = on.has_value();
            values_[index] = on.value_or(false);
            break;
        }
        case PropertyKind::on_off_auto: {
            const std::optional<bool> on = parse_bool(text);
            valid = on.has_value() || text == "auto";
            values_[index] = on ? Value(*on) : Value();
            break;
        }
        case PropertyKind::accepted: {
            const std::vector<std::string> words = split(property.default_value, '|');
            // The type's own list is how it is set first.
            valid = text == property.default_value || std::ranges::find(words, text) != words.end();
            break;
        }
        case PropertyKind::mac: {
            const std::optional<MacAddress> mac = parse_mac(text);
            valid = mac.has_value() || (text.empty() && property.default_value != nullptr);
            values_[index] = mac ? Value(*mac) : Value();
            break;
        }
        case PropertyKind::drive:
        case PropertyKind::rng:
        case PropertyKind::netdev:
        case PropertyKind::fsdev:
        case PropertyKind::chardev:
            values_[index] = text;
            break;
    }
    if (!valid) {
        return fail(fmt::format("{} is {}, not {}", property.name, allowed(property), in_quotes(text)));
    }
    return {};
}

const DeviceConfig::Value& DeviceConfig::value(std::string_view property) const {
    const auto found = std::ranges::find(type_->properties, property, &DeviceProperty::name);
    WEFT_ASSERT(found != type_->properties.end());
    return values_[static_cast<size_t>(found - type_->properties.begin())];
}

std::optional<size_t> DeviceConfig::index_of(PropertyKind kind) const {
    const auto found = std::ranges::find(type_->properties, kind, &DeviceProperty::kind);
    return found == type_->properties.end()
               ? std::nullopt
               : std::optional(static_cast<size_t>(found - type_->properties.begin()));
}

std::string DeviceConfig::reference(PropertyKind kind) const {
    WEFT_ASSERT(is_reference(kind));
    const std::optional<size_t> index = index_of(kind);
    const auto* id = index ? std::get_if<std::string>(&values_[*index]) : nullptr;
    return id != nullptr ? *id : std::string();
}

bool DeviceConfig::has_mac() const { return index_of(PropertyKind::mac).has_value(); }

std::optional<MacAddress> DeviceConfig::mac() const {
    const std::optional<size_t> index = index_of(PropertyKind::mac);
    const auto* mac = index ? std::get_if<MacAddress>(&values_[*index]) : nullptr;
    return mac != nullptr ? std::optional(*mac) : std::nullopt;
}

void DeviceConfig::set_mac(MacAddress mac) {
    const std::optional<size_t> index = index_of(PropertyKind::mac);
    WEFT_ASSERT(index);
    values_[*index] = mac;
}

const std::string& DeviceConfig::text(std::string_view property) const {
    const auto* text = std::get_if<std::string>(&value(property));
    WEFT_ASSERT(text != nullptr);
    return *text;
}

uint64_t DeviceConfig::number(std::string_view property) const {
    const auto* number = std::get_if<uint64_t>(&value(property));
    WEFT_ASSERT(number != nullptr);
    return *number;
}

std::optional<uint64_t> DeviceConfig::optional_number(std::string_view property) const {
    const auto* number = std::get_if<uint64_t>(&value(property));
    return number != nullptr ? std::optional(*number) : std::nullopt;
}

std::optional<bool> DeviceConfig::on_off_auto(std::string_view property) const {
    const auto* on = std::get_if<bool>(&value(property));
    return on != nullptr ? std::optional(*on) : std::nullopt;
}

bool DeviceConfig::on(std::string_view property) const {
    const auto* on = std::get_if<bool>(&value(property));
    WEFT_ASSERT(on != nullptr);
    return *on;
}

backend::BlockBackend& DeviceConfig::drive() const {
    WEFT_ASSERT(drive_ != nullptr);
    return *drive_;
}

backend::FsBackend& DeviceConfig::fsdev() const {
    WEFT_ASSERT(fsdev_ != nullptr);
    return *fsdev_;
}

std::span<const PciPropertyText> pci_properties() { return kPciProperties; }

std::span<const PciVariant> pci_variants(const DeviceType& type) {
    static constexpr PciVariant kVariants[] = {{"-transitional", "off"}, {"-non-transitional", "on"}};
    return type.bus == Bus::pci && type.make_virtio != nullptr ? std::span<const PciVariant>(kVariants)
                                                               : std::span<const PciVariant>();
}

std::optional<MacAddress> parse_mac(std::string_view text) {
    const std::vector<std::string> parts = split(text, ':');
    MacAddress mac{};
    if (parts.size() != mac.size()) {
        return std::nullopt;
    }
    for (size_t i = 0; i < mac.size(); ++i) {
        const std::optional<uint64_t> byte =
            parts[i].size() <= 2 ? parse_uint(fmt::format("0x{}", parts[i])) : std::nullopt;
        if (!byte) {
            return std::nullopt;
        }
        mac[i] = static_cast<uint8_t>(*byte);
    }
    return (mac[0] & 1) == 0 ? std::optional(mac) : std::nullopt;
}

std::string device_types_text(std::span<const DeviceType* const> types) {
    // In the form that scripts look for: name "NAME".
    std::string text = "Devices ('NAME,help' lists their properties):\n";
    for (const DeviceType* type : types) {
        text +=
            fmt::format("name \"{}\", bus {}, desc \"{}\"\n", type->name, bus_name(type->bus), type->help);
    }
    return text;
}

std::string device_properties_text(const DeviceType& type) {
    std::string text = fmt::format("{}: {}\n", type.name, type.help);
    for (const DeviceProperty& property : type.properties) {
        text += fmt::format("  {}=<{}>", property.name, allowed(property));
        if (property.default_value == nullptr) {
            text += " (must be given)";
        } else if (property.kind != PropertyKind::accepted) {
            text += fmt::format(" (default: {})",
                                *property.default_value == '\0' ? "none" : property.default_value);
        }
        text += fmt::format("\n      {}\n", property.help);
    }
    if (type.bus == Bus::pci) {
        for (const auto& property : kPciProperties) {
            text += fmt::format("  {}=\n      {}\n", property.name, property.help);
        }
    }
    if (type.make_virtio != nullptr) {
        for (const auto& property : kVirtioProperties) {
            text += fmt::format("  {}={}\n      accepted\n", property.name, property.values);
        }
    }
    text += "  id=<any name>\n      what the device is called\n";
    if (type.bus != Bus::board) {
        text += "  bootindex=<a number>\n      accepted, the board's firmware does not ask\n";
        text += fmt::format("  bus=<a bus of {}>\n      where the device goes\n",
                            type.bus == Bus::virtio_serial ? "a virtio-serial device's" : "the board's");
    }
    return text;
}

}  // namespace weft::hw
