#include "emulator/accel/accel_properties.h"

#include <fmt/format.h>

#include <algorithm>

namespace weft::loader {

namespace {

std::span<const PropertyDesc> table(const AccelDescriptor& descriptor) {
    return {descriptor.properties, descriptor.property_count};
}

// "single, multi or auto"
std::string listed(const std::vector<std::string>& words) {
    std::string text;
    for (size_t i = 0; i < words.size(); ++i) {
        text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
    }
    return text;
}

std::string allowed(const PropertyDesc& property) {
    switch (property.type) {
        case PropertyType::boolean:
            return "on or off";
        case PropertyType::uint:
            return property.max == UINT64_MAX && property.min == 0
                       ? "a number"
                       : fmt::format("a number from {} to {}", property.min, property.max);
        case PropertyType::choice:
            return listed(split(property.choices, '|'));
        case PropertyType::string:
            return "a text";
    }
    return "";
}

}  // namespace

Result<> AccelProperties::set(const PropertyDesc& property, size_t index, const std::string& text) {
    const auto refuse = [&] {
        return fail(fmt::format("property {}: {} is not {}", in_quotes(property.name), in_quotes(text),
                                allowed(property)));
    };
    PropertyValue value{};
    value.set = true;
    switch (property.type) {
        case PropertyType::boolean: {
            const std::optional<bool> on = parse_bool(text);
            if (!on) {
                return refuse();
            }
            value.number = *on ? 1 : 0;
            break;
        }
        case PropertyType::uint: {
            const std::optional<uint64_t> number = parse_uint(text);
            if (!number || *number < property.min || *number > property.max) {
                return refuse();
            }
            value.number = *number;
            break;
        }
        case PropertyType::choice: {
            const std::vector<std::string> words = split(property.choices, '|');
            const auto word = std::ranges::find(words, text);
            if (word == words.end()) {
                return refuse();
            }
            value.number = static_cast<uint64_t>(word - words.begin());
            break;
        }
        case PropertyType::string:
            texts_.push_back(std::make_unique<std::string>(text));
            value.text = texts_.back()->c_str();
            break;
    }
    values_[index] = value;
    return {};
}

Result<AccelProperties> AccelProperties::parse(const AccelDescriptor& descriptor,
                                               std::span<const KeyValue> items) {
    const std::span<const PropertyDesc> properties = table(descriptor);
    const std::string accelerator = fmt::format("accelerator {}", in_quotes(descriptor.name));
    AccelProperties result;
    result.values_.resize(properties.size());
    for (size_t i = 0; i < properties.size(); ++i) {
        if (properties[i].default_value != nullptr) {
            if (Result<> done = result.set(properties[i], i, properties[i].default_value); !done) {
                return std::unexpected(done.error().within(accelerator + ": broken default"));
            }
        }
    }
    for (const KeyValue& item : items) {
        const auto property =
            std::ranges::find_if(properties, [&](const PropertyDesc& desc) { return item.key == desc.name; });
        if (property == properties.end()) {
            std::vector<std::string> names;
            for (const PropertyDesc& desc : properties) {
                names.emplace_back(desc.name);
            }
            return fail(fmt::format(
                "{} has no property {} ({})", accelerator, in_quotes(item.key),
                names.empty() ? "it has none" : "properties: " + fmt::format("{}", fmt::join(names, ", "))));
        }
        // A switch may be turned on by its name alone.
        if (!item.value && property->type != PropertyType::boolean) {
            return fail(fmt::format("{}: property {} needs a value: {}", accelerator, in_quotes(item.key),
                                    allowed(*property)));
        }
        const auto index = static_cast<size_t>(property - properties.begin());
        if (Result<> done = result.set(*property, index, item.value.value_or("on")); !done) {
            return std::unexpected(done.error().within(accelerator));
        }
    }
    return result;
}

std::string properties_text(const AccelDescriptor& descriptor) {
    std::string text = fmt::format("{}: {}\n", descriptor.name, descriptor.description);
    for (const PropertyDesc& property : table(descriptor)) {
        text += fmt::format("  {}=<{}>", property.name, allowed(property));
        if (property.default_value != nullptr) {
            text += fmt::format(" (default: {})", property.default_value);
        }
        text += fmt::format("\n      {}\n", property.help);
    }
    if (descriptor.property_count == 0) {
        text += "  It has no properties.\n";
    }
    return text;
}

}  // namespace weft::loader
