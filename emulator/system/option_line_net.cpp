#include "emulator/system/option_line_net.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

using backend::LineNetConfig;
using backend::NetAddress;

// What was written and not looked at yet.
class Items {
  public:
    static Result<Items> read(std::span<const KeyValue> items) {
        Items result;
        for (const KeyValue& item : items) {
            const Result<std::string> text = value_of(item);
            if (!text) {
                return std::unexpected(text.error());
            }
            result.values_[item.key] = *text;
        }
        return result;
    }

    std::optional<std::string> take(const std::string& key) {
        const auto found = values_.find(key);
        if (found == values_.end()) {
            return std::nullopt;
        }
        std::optional<std::string> value = std::move(found->second);
        values_.erase(found);
        return value;
    }
    Result<std::optional<bool>> take_switch(const std::string& key) {
        const std::optional<std::string> text = take(key);
        const std::optional<bool> on = text ? parse_bool(*text) : std::nullopt;
        if (text && !on) {
            return fail(fmt::format("{} is on or off, not {}", key, in_quotes(*text)));
        }
        return on;
    }
    Result<std::optional<uint64_t>> take_number(const std::string& key, uint64_t most) {
        const std::optional<std::string> text = take(key);
        const std::optional<uint64_t> number = text ? parse_uint(*text) : std::nullopt;
        if (text && (!number || *number > most)) {
            return fail(fmt::format("{} is a number up to {}, not {}", key, most, in_quotes(*text)));
        }
        return number;
    }
    // Values that change nothing; others are refused.
    Result<> accept(const std::string& key, const char* values) {
        const std::optional<std::string> text = take(key);
        const std::vector<std::string> words = split(values, '|');
        if (text && std::ranges::find(words, *text) == words.end()) {
            return fail(fmt::format("{}={} is not supported (only {})", key, *text, values));
        }
        return {};
    }
    Result<> finish() const {
        return values_.empty() ? Result<>()
                               : fail(fmt::format("unknown parameter {}", in_quotes(values_.begin()->first)));
    }

  private:
    std::map<std::string, std::string> values_;
};

std::optional<int> descriptor_of(const std::string& text) {
    const std::optional<uint64_t> number = parse_uint(text);
    return number && *number <= INT32_MAX ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

// PREFIX.type=inet|unix|fd and what belongs to it. None: there is no such key.
Result<NetAddress> take_address(Items& items, const std::string& prefix) {
    const std::optional<std::string> type = items.take(prefix + ".type");
    NetAddress address;
    if (!type) {
        return address;
    }
    const auto needed = [&](const char* key) -> Result<std::string> {
        const std::optional<std::string> value = items.take(prefix + key);
        return value && !value->empty()
                   ? Result<std::string>(*value)
                   : fail(fmt::format("{}.type={} needs {}{}=", prefix, *type, prefix, key));
    };
    Result<std::string> first =
        fail(fmt::format("{}.type is inet, unix or fd, not {}", prefix, in_quotes(*type)));
    if (*type == "inet") {
        address.kind = NetAddress::Kind::inet;
        address.host = items.take(prefix + ".host").value_or("");
        first = needed(".port");
        address.port = first.value_or("");
        for (const char* key : {".numeric", ".keep-alive"}) {
            if (Result<> accepted = items.accept(prefix + key, "on|off"); !accepted) {
                return std::unexpected(accepted.error());
            }
        }
    } else if (*type == "unix") {
        address.kind = NetAddress::Kind::unix_socket;
        first = needed(".path");
        address.path = first.value_or("");
        const Result<std::optional<bool>> abstract = items.take_switch(prefix + ".abstract");
        const Result<> tight = items.accept(prefix + ".tight", "on");
        if (!abstract || !tight) {
            return std::unexpected(!abstract ? abstract.error() : tight.error());
        }
        address.abstract = abstract->value_or(false);
    } else if (*type == "fd") {
        address.kind = NetAddress::Kind::descriptor;
        first = needed(".str");
        const std::optional<int> number = descriptor_of(first.value_or("0"));
        if (!number) {
            return fail(
                fmt::format("{}.str is the number of a descriptor, not {}", prefix, in_quotes(*first)));
        }
        address.descriptor = *number;
    }
    return first ? Result<NetAddress>(address) : std::unexpected(first.error());
}

// [HOST]:PORT
Result<NetAddress> host_and_port(const std::string& key, const std::string& text) {
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon + 1 == text.size()) {
        return fail(fmt::format("{} is HOST:PORT, not {}", key, in_quotes(text)));
    }
    std::string host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    return NetAddress{
        .kind = NetAddress::Kind::inet, .host = std::move(host), .port = text.substr(colon + 1)};
}

Result<LineNetConfig> parse_stream(Items& items) {
    LineNetConfig config;
    const Result<std::optional<bool>> server = items.take_switch("server");
    const Result<std::optional<uint64_t>> seconds = items.take_number("reconnect", 3600);
    const Result<std::optional<uint64_t>> milliseconds = items.take_number("reconnect-ms", 3600 * 1000);
    Result<NetAddress> address = take_address(items, "addr");
    if (!server || !seconds || !milliseconds || !address) {
        return std::unexpected(!server         ? server.error()
                               : !seconds      ? seconds.error()
                               : !milliseconds ? milliseconds.error()
                                               : address.error());
    }
    if (address->kind == NetAddress::Kind::none) {
        return fail("a stream needs addr.type=inet, unix or fd");
    }
    config.server = server->value_or(false);
    config.reconnect_ms = static_cast<unsigned>(milliseconds->value_or(seconds->value_or(0) * 1000));
    if (config.reconnect_ms != 0 && (config.server || address->kind == NetAddress::Kind::descriptor)) {
        return fail("only what connects by itself can reconnect");
    }
    config.remote = std::move(*address);
    return config;
}

Result<LineNetConfig> parse_dgram(Items& items) {
    LineNetConfig config{.kind = LineNetConfig::Kind::datagram};
    Result<NetAddress> local = take_address(items, "local");
    Result<NetAddress> remote = take_address(items, "remote");
    if (!local || !remote) {
        return std::unexpected(local ? remote.error() : local.error());
    }
    const bool by_descriptor = local->kind == NetAddress::Kind::descriptor;
    if (remote->kind == NetAddress::Kind::descriptor) {
        return fail("a descriptor is named by local.type=fd");
    }
    if (by_descriptor == (remote->kind != NetAddress::Kind::none)) {
        return fail(by_descriptor ? "a descriptor's datagrams go where it is connected to: without remote."
                                  : "datagrams need remote.type=inet or unix, or local.type=fd");
    }
    if (remote->kind == NetAddress::Kind::unix_socket && local->kind == NetAddress::Kind::none) {
        return fail("datagrams over unix sockets need local.type=unix and local.path=");
    }
    config.local = std::move(*local);
    config.remote = std::move(*remote);
    return config;
}

// The older forms.
Result<LineNetConfig> parse_socket(Items& items) {
    constexpr const char* kForms[] = {"fd", "listen", "connect", "mcast", "udp"};
    std::optional<std::pair<std::string, std::string>> form;
    for (const char* key : kForms) {
        if (const auto value = items.take(key)) {
            if (form) {
                return fail(fmt::format("{} and {} exclude each other", form->first, key));
            }
            form = {key, *value};
        }
    }
    if (!form) {
        return fail("a socket needs fd=, listen=, connect=, mcast= or udp=");
    }
    const auto& [key, value] = *form;
    LineNetConfig config;
    if (key == "fd") {
        const std::optional<int> number = descriptor_of(value);
        if (!number) {
            return fail(fmt::format("fd is the number of a descriptor, not {}", in_quotes(value)));
        }
        // Which of the two it is, its type tells.
        config.remote = {.kind = NetAddress::Kind::descriptor, .descriptor = *number};
        config.local = config.remote;
        return config;
    }
    Result<NetAddress> address = host_and_port(key, value);
    if (!address) {
        return std::unexpected(address.error());
    }
    config.remote = std::move(*address);
    config.server = key == "listen";
    if (key != "mcast" && key != "udp") {
        return config;
    }
    config.kind = LineNetConfig::Kind::datagram;
    const std::optional<std::string> local = items.take("localaddr");
    if (key == "mcast" && local) {
        config.local = {.kind = NetAddress::Kind::inet, .host = *local, .port = "0"};
    } else if (key == "udp") {
        Result<NetAddress> own = local ? host_and_port("localaddr", *local)
                                       : Result<NetAddress>(fail("udp= needs localaddr=HOST:PORT"));
        if (!own) {
            return std::unexpected(own.error());
        }
        config.local = std::move(*own);
    }
    return config;
}

Result<LineNetConfig> parse_tap(Items& items) {
    LineNetConfig config{.kind = LineNetConfig::Kind::tap};
    constexpr size_t kLongestName = 15;  // IFNAMSIZ, less the zero
    const std::optional<std::string> descriptor = items.take("fd");
    const std::optional<std::string> name = items.take("ifname");
    const std::optional<std::string> script = items.take("script");
    Result<> accepted;
    for (const auto& [key, values] : {std::pair{"downscript", "no"},
                                      {"vhost", "off"},
                                      {"vhostforce", "off"},
                                      {"vnet_hdr", "off"},
                                      {"queues", "1"},
                                      {"sndbuf", "0"}}) {
        accepted = accepted ? items.accept(key, values) : accepted;
    }
    if (!accepted) {
        return std::unexpected(accepted.error());
    }
    if (descriptor) {
        config.descriptor = descriptor_of(*descriptor);
        if (!config.descriptor) {
            return fail(fmt::format("fd is the number of a descriptor, not {}", in_quotes(*descriptor)));
        }
        return name ? fail("fd and ifname exclude each other") : Result<LineNetConfig>(config);
    }
    if (!name || name->empty() || name->size() > kLongestName) {
        return fail(fmt::format("a TAP device is named by ifname=, up to {} bytes, or by fd=", kLongestName));
    }
    if (script.value_or("") != "no") {
        return fail("script=no must be said, as no scripts are run: the device has to be up already");
    }
    config.device = *name;
    return config;
}

constexpr struct {
    const char* name;
    Result<LineNetConfig> (*parse)(Items& items);
} kKinds[] = {{"stream", parse_stream}, {"dgram", parse_dgram}, {"socket", parse_socket}, {"tap", parse_tap}};

}  // namespace

bool is_line_kind(const std::string& kind) {
    return std::ranges::any_of(kKinds, [&](const auto& row) { return kind == row.name; });
}

Result<LineNetConfig> parse_line_net(const std::string& kind, std::span<const KeyValue> items) {
    Result<Items> values = Items::read(items);
    if (!values) {
        return std::unexpected(values.error());
    }
    const auto row = std::ranges::find_if(kKinds, [&](const auto& one) { return kind == one.name; });
    Result<LineNetConfig> config = row->parse(*values);
    const Result<> finished = config ? values->finish() : Result<>();
    if (!finished) {
        return std::unexpected(finished.error());
    }
    return config;
}

}  // namespace weft::sys
