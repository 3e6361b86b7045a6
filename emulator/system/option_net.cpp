// -netdev, -nic and -net.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "emulator/hw/device_types.h"
#include "emulator/system/option_json.h"
#include "emulator/system/option_line_net.h"
#include "emulator/system/option_user_net.h"
#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

constexpr const char* kCard = "virtio-net-device";

// The network's kind comes first; it may also be written as type=.
Result<std::string> take_kind(KeyValueList& list) {
    if (list.head) {
        return *list.head;
    }
    const auto type = std::ranges::find(list.items, std::string_view("type"), &KeyValue::key);
    if (type == list.items.end() || !type->value) {
        return fail("the kind of network comes first: user, stream, dgram, socket or tap");
    }
    const std::string kind = *type->value;
    list.items.erase(type);
    return kind;
}

Result<> check_kind(const std::string& kind) {
    if (kind != "user" && !is_line_kind(kind)) {
        return fail(fmt::format(
            "unknown kind of network {} (there are 'user', 'stream', 'dgram', 'socket' and 'tap')",
            in_quotes(kind)));
    }
    return {};
}

// Takes an item out of the list; empty: it was not there.
Result<std::string> take_item(KeyValueList& list, std::string_view key) {
    std::string value;
    for (const KeyValue& item : list.items) {
        if (item.key == key) {
            const Result<std::string> text = value_of(item);
            if (!text) {
                return text;
            }
            value = *text;
        }
    }
    std::erase_if(list.items, [&](const KeyValue& item) { return item.key == key; });
    return value;
}

bool has_network(const RawOptions& raw, const std::string& id) {
    return std::ranges::find(raw.options.networks, id, &NetworkChoice::id) != raw.options.networks.end();
}

Result<> add_network(RawOptions& raw, const std::string& kind, const std::string& id,
                     std::span<const KeyValue> items) {
    if (has_network(raw, id)) {
        return fail(fmt::format("two networks have the id {}", in_quotes(id)));
    }
    if (is_line_kind(kind)) {
        Result<backend::LineNetConfig> line = parse_line_net(kind, items);
        if (!line) {
            return std::unexpected(line.error());
        }
        raw.options.networks.push_back({.id = id, .kind = kind, .line = std::move(*line)});
        return {};
    }
    Result<backend::UserNetConfig> user = parse_user_net(items);
    if (!user) {
        return std::unexpected(user.error());
    }
    raw.options.networks.push_back({.id = id, .user = std::move(*user)});
    return {};
}

}  // namespace

Result<> parse_netdev(RawOptions& raw, const std::string& value) {
    Result<KeyValueList> list = parse_option(value, "type");
    if (!list) {
        return std::unexpected(list.error());
    }
    const Result<std::string> kind = take_kind(*list);
    if (!kind) {
        return std::unexpected(kind.error());
    }
    if (Result<> known = check_kind(*kind); !known) {
        return known;
    }
    const Result<std::string> id = take_item(*list, "id");
    if (!id) {
        return std::unexpected(id.error());
    }
    if (id->empty()) {
        return fail("a network needs an id");
    }
    return add_network(raw, *kind, *id, list->items);
}

// A network and a card that is plugged into it.
Result<> parse_nic(RawOptions& raw, const std::string& value) {
    Result<KeyValueList> list = parse_option(value, "type");
    if (!list) {
        return std::unexpected(list.error());
    }
    const Result<std::string> kind = take_kind(*list);
    if (!kind) {
        return std::unexpected(kind.error());
    }
    if (*kind == "none") {
        return {};
    }
    if (Result<> known = check_kind(*kind); !known) {
        return known;
    }
    const Result<std::string> model = take_item(*list, "model");
    const Result<std::string> mac = take_item(*list, "mac");
    const Result<std::string> id = take_item(*list, "id");
    for (const auto* item : {&model, &mac, &id}) {
        if (!*item) {
            return std::unexpected(item->error());
        }
    }
    if (!model->empty() && *model != "virtio" && *model != kCard) {
        return fail(fmt::format("unknown model {} (there are 'virtio' and '{}')", in_quotes(*model), kCard));
    }
    // Ids that users cannot write begin so.
    const std::string network = id->empty() ? fmt::format("#nic{}", raw.options.networks.size()) : *id;
    if (Result<> added = add_network(raw, *kind, network, list->items); !added) {
        return added;
    }
    KeyValueList card;
    card.items.push_back({"netdev", network});
    if (!mac->empty()) {
        card.items.push_back({"mac", *mac});
    }
    const hw::DeviceType& type = *hw::find_device_type(kCard);
    if (const Result<hw::DeviceConfig> checked = hw::DeviceConfig::parse(type, card.items); !checked) {
        return std::unexpected(checked.error());
    }
    raw.devices.push_back({&type, std::move(card.items)});
    return {};
}

Result<> parse_net(RawOptions&, const std::string& value) {
    if (value == "none") {
        return {};  // there is no network but what is asked for
    }
    return fail(
        fmt::format("{} is not 'none' (-nic makes a network with a card, -netdev and -device each of them)",
                    in_quotes(value)));
}

Result<> check_network_reference(const Options& options, const hw::DeviceConfig& device) {
    const std::string id = device.reference(hw::PropertyKind::netdev);
    if (id.empty()) {
        return {};
    }
    if (std::ranges::find(options.networks, id, &NetworkChoice::id) == options.networks.end()) {
        return fail(fmt::format("there is no netdev with the id {}", in_quotes(id)));
    }
    const auto has_it = [&](const DeviceChoice& other) {
        return other.config.reference(hw::PropertyKind::netdev) == id;
    };
    return std::ranges::any_of(options.devices, has_it)
               ? fail(fmt::format("netdev {} is in use already", in_quotes(id)))
               : Result<>();
}

hw::MacAddress free_mac(std::span<const DeviceChoice> devices) {
    hw::MacAddress next = hw::kFirstMac;
    while (std::ranges::any_of(devices,
                               [&](const DeviceChoice& device) { return device.config.mac() == next; })) {
        ++next.back();
    }
    return next;
}

Result<> check_networks(RawOptions& raw) {
    // Each is looked at beside those before it.
    std::vector<DeviceChoice> devices = std::exchange(raw.options.devices, {});
    for (DeviceChoice& device : devices) {
        if (Result<> there = check_network_reference(raw.options, device.config); !there) {
            return std::unexpected(there.error().within("-device"));
        }
        raw.options.devices.push_back(std::move(device));
    }
    // Cards without an address get those that nobody asked for, in order.
    for (DeviceChoice& device : raw.options.devices) {
        if (device.config.has_mac() && !device.config.mac()) {
            device.config.set_mac(free_mac(raw.options.devices));
        }
    }
    return {};
}

}  // namespace weft::sys
