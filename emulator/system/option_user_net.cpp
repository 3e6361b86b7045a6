#include "emulator/system/option_user_net.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "emulator/system/option_values.h"

namespace weft::sys {

namespace {

using backend::UserNetConfig;

// Their last parts where nothing else is said.
constexpr uint32_t kHostPart = 0x0202;
constexpr uint32_t kDnsPart = 0x0203;
constexpr uint32_t kDhcpPart = 0x020f;

// What was written, before the parts are looked at together.
struct Written {
    std::optional<bool> ipv4, ipv6;
    std::optional<std::string> net, host, dhcp_start, dns, net6, host6, dns6;
    UserNetConfig config;
};

Result<in_addr> address4(const std::string& what, const std::string& text) {
    in_addr address{};
    if (inet_pton(AF_INET, text.c_str(), &address) != 1) {
        return fail(fmt::format("{} is an IPv4 address, not {}", what, in_quotes(text)));
    }
    return address;
}

Result<in6_addr> address6(const std::string& what, const std::string& text) {
    in6_addr address{};
    if (inet_pton(AF_INET6, text.c_str(), &address) != 1) {
        return fail(fmt::format("{} is an IPv6 address, not {}", what, in_quotes(text)));
    }
    return address;
}

Result<unsigned> port(const std::string& text, unsigned first, const std::string& whole) {
    const std::optional<uint64_t> number = parse_uint(text);
    if (!number || *number < first || *number > 65535) {
        return fail(fmt::format("a port is a number from {} to 65535, not {}, in {}", first, in_quotes(text),
                                in_quotes(whole)));
    }
    return static_cast<unsigned>(*number);
}

// [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport
Result<> add_host_forward(Written& written, const std::string& text) {
    const std::vector<std::string> parts = split(text, ':');
    const size_t dash = parts.size() == 4 ? parts[2].find('-') : std::string::npos;
    if (dash == std::string::npos || (!parts[0].empty() && parts[0] != "tcp" && parts[0] != "udp")) {
        return fail(fmt::format(
            "hostfwd is [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport with IPv4 addresses, not {}",
            in_quotes(text)));
    }
    UserNetConfig::HostForward forward;
    forward.text = text;
    forward.udp = parts[0] == "udp";
    const std::string guest = parts[2].substr(dash + 1);
    for (const auto& [what, address, to] : {std::tuple("the host's address", parts[1], &forward.host),
                                            std::tuple("the guest's address", guest, &forward.guest)}) {
        if (!address.empty()) {
            const Result<in_addr> parsed = address4(what, address);
            if (!parsed) {
                return std::unexpected(parsed.error().within("hostfwd"));
            }
            *to = *parsed;
        }
    }
    // 0: one that the host's kernel picks.
    const Result<unsigned> host_port = port(parts[2].substr(0, dash), 0, text);
    const Result<unsigned> guest_port = port(parts[3], 1, text);
    for (const auto& [parsed, to] :
         {std::pair(&host_port, &forward.host_port), {&guest_port, &forward.guest_port}}) {
        if (!*parsed) {
            return std::unexpected(parsed->error().within("hostfwd"));
        }
        *to = **parsed;
    }
    written.config.host_forwards.push_back(std::move(forward));
    return {};
}

// [tcp]:server:port-cmd:command or -unix:path
Result<> add_guest_forward(Written& written, const std::string& text) {
    const size_t dash = text.find('-');
    const std::vector<std::string> from = split(text.substr(0, dash), ':');
    const std::string target = dash == std::string::npos ? "" : text.substr(dash + 1);
    UserNetConfig::GuestForward forward;
    forward.text = text;
    forward.unix_socket = target.starts_with("unix:");
    if (from.size() != 3 || (!from[0].empty() && from[0] != "tcp") ||
        !(forward.unix_socket || target.starts_with("cmd:")) || target.size() == target.find(':') + 1) {
        return fail(
            fmt::format("guestfwd is [tcp]:server:port-cmd:COMMAND or -unix:PATH, not {}", in_quotes(text)));
    }
    forward.target = target.substr(target.find(':') + 1);
    const Result<in_addr> server = address4("the server's address", from[1]);
    if (!server) {
        return std::unexpected(server.error().within("guestfwd"));
    }
    const Result<unsigned> number = port(from[2], 1, text);
    if (!number) {
        return std::unexpected(number.error().within("guestfwd"));
    }
    forward.address = *server;
    forward.port = *number;
    written.config.guest_forwards.push_back(std::move(forward));
    return {};
}

template <auto member>
Result<> set_config_text(Written& written, const std::string& text) {
    written.config.*member = text;
    return {};
}

template <auto member>
Result<> set_written(Written& written, const std::string& text) {
    written.*member = text;
    return {};
}

template <auto member>
Result<> set_switch(Written& written, const std::string& text) {
    const std::optional<bool> on = parse_bool(text);
    if (!on) {
        return fail(fmt::format("it is 'on' or 'off', not {}", in_quotes(text)));
    }
    written.*member = *on;
    return {};
}

Result<> set_restrict(Written& written, const std::string& text) {
    const std::optional<bool> on = parse_bool(text);
    if (!on) {
        return fail(fmt::format("it is 'on' or 'off', not {}", in_quotes(text)));
    }
    written.config.restricted = *on;
    return {};
}

Result<> add_dns_search(Written& written, const std::string& text) {
    written.config.dns_search.push_back(text);
    return {};
}

struct Parameter {
    const char* name;
    Result<> (*apply)(Written& written, const std::string& text);
};

constexpr Parameter kParameters[] = {
    {"ipv4", set_switch<&Written::ipv4>},
    {"net", set_written<&Written::net>},
    {"host", set_written<&Written::host>},
    {"dhcpstart", set_written<&Written::dhcp_start>},
    {"dns", set_written<&Written::dns>},
    {"ipv6", set_switch<&Written::ipv6>},
    {"ipv6-net", set_written<&Written::net6>},
    {"ipv6-host", set_written<&Written::host6>},
    {"ipv6-dns", set_written<&Written::dns6>},
    {"restrict", set_restrict},
    {"hostname", set_config_text<&UserNetConfig::hostname>},
    {"domainname", set_config_text<&UserNetConfig::domain>},
    {"dnssearch", add_dns_search},
    {"tftp", set_config_text<&UserNetConfig::tftp>},
    {"tftp-server-name", set_config_text<&UserNetConfig::tftp_server>},
    {"bootfile", set_config_text<&UserNetConfig::bootfile>},
    {"hostfwd", add_host_forward},
    {"guestfwd", add_guest_forward},
};

// "10.0.2.0/24", "10.0.2.0/255.255.255.0", or with the mask of the address's class.
Result<> apply_net4(UserNetConfig& config, const std::string& text) {
    const size_t slash = text.find('/');
    const Result<in_addr> network = address4("net", text.substr(0, slash));
    if (!network) {
        return std::unexpected(network.error());
    }
    const uint32_t address = ntohl(network->s_addr);
    uint32_t mask = address >> 31 == 0 ? 0xff000000 : address >> 30 == 2 ? 0xffff0000 : 0xffffff00;
    if (slash != std::string::npos) {
        const std::string written = text.substr(slash + 1);
        in_addr dotted{};
        const std::optional<uint64_t> bits = parse_uint(written);
        if (bits && *bits >= 4 && *bits <= 30) {
            mask = ~uint32_t{0} << (32 - *bits);
        } else if (inet_pton(AF_INET, written.c_str(), &dotted) == 1) {
            mask = ntohl(dotted.s_addr);
        } else {
            return fail(fmt::format("net has a mask of 4 to 30 bits, not {}", in_quotes(written)));
        }
    }
    config.network.s_addr = htonl(address & mask);
    config.mask.s_addr = htonl(mask);
    return {};
}

Result<> apply_ipv4(const Written& written, UserNetConfig& config) {
    if (Result<> applied = apply_net4(config, written.net.value_or("10.0.2.0/24")); !applied) {
        return applied;
    }
    const uint32_t network = ntohl(config.network.s_addr);
    const uint32_t mask = ntohl(config.mask.s_addr);
    const struct {
        const char* name;
        const std::optional<std::string>& text;
        uint32_t part;
        in_addr& to;
    } addresses[] = {{"host", written.host, kHostPart, config.host},
                     {"dhcpstart", written.dhcp_start, kDhcpPart, config.dhcp_start},
                     {"dns", written.dns, kDnsPart, config.dns}};
    for (const auto& address : addresses) {
        address.to.s_addr = htonl(network | (address.part & ~mask));
        if (address.text) {
            const Result<in_addr> parsed = address4(address.name, *address.text);
            if (!parsed) {
                return std::unexpected(parsed.error());
            }
            address.to = *parsed;
        }
        if ((ntohl(address.to.s_addr) & mask) != network) {
            return fail(fmt::format("{} is not in the network", address.name));
        }
    }
    if (config.dhcp_start.s_addr == config.host.s_addr || config.dhcp_start.s_addr == config.dns.s_addr ||
        config.host.s_addr == config.dns.s_addr) {
        return fail("host, dhcpstart and dns are three addresses");
    }
    return {};
}

Result<> apply_ipv6(const Written& written, UserNetConfig& config) {
    std::string net = written.net6.value_or("fec0::/64");
    if (const size_t slash = net.find('/'); slash != std::string::npos) {
        const std::optional<uint64_t> bits = parse_uint(net.substr(slash + 1));
        if (!bits || *bits > 126) {
            return fail(fmt::format("ipv6-net has a prefix of up to 126 bits, not {}",
                                    in_quotes(net.substr(slash + 1))));
        }
        config.prefix6 = static_cast<unsigned>(*bits);
        net.resize(slash);
    }
    const Result<in6_addr> network = address6("ipv6-net", net);
    if (!network) {
        return std::unexpected(network.error());
    }
    config.network6 = *network;
    const struct {
        const char* name;
        const std::optional<std::string>& text;
        uint8_t part;
        in6_addr& to;
    } addresses[] = {{"ipv6-host", written.host6, 2, config.host6},
                     {"ipv6-dns", written.dns6, 3, config.dns6}};
    for (const auto& address : addresses) {
        address.to = config.network6;
        address.to.s6_addr[15] |= address.part;
        if (address.text) {
            const Result<in6_addr> parsed = address6(address.name, *address.text);
            if (!parsed) {
                return std::unexpected(parsed.error());
            }
            address.to = *parsed;
        }
    }
    return {};
}

}  // namespace

Result<backend::UserNetConfig> parse_user_net(std::span<const KeyValue> items) {
    Written written;
    for (const KeyValue& item : items) {
        const auto* parameter = std::ranges::find(kParameters, item.key, &Parameter::name);
        if (parameter == std::end(kParameters)) {
            return fail(fmt::format("unknown parameter {} of a user network (there are {})",
                                    in_quotes(item.key), names_of(kParameters)));
        }
        const Result<std::string> text = value_of(item);
        if (!text) {
            return std::unexpected(text.error());
        }
        if (Result<> applied = parameter->apply(written, *text); !applied) {
            return std::unexpected(applied.error().message().starts_with("it is")
                                       ? applied.error().within(item.key)
                                       : applied.error());
        }
    }
    UserNetConfig config = std::move(written.config);
    // One that is asked for by name is alone.
    config.ipv4 = written.ipv4.value_or(!written.ipv6.value_or(false));
    config.ipv6 = written.ipv6.value_or(!written.ipv4.value_or(false));
    if (!config.ipv4 && !config.ipv6) {
        return fail("ipv4 and ipv6 are both off");
    }
    if (Result<> applied = apply_ipv4(written, config); !applied) {
        return std::unexpected(applied.error());
    }
    if (Result<> applied = apply_ipv6(written, config); !applied) {
        return std::unexpected(applied.error());
    }
    // What libslirp and its protocols have room for.
    if (config.bootfile.size() > 127) {
        return fail("bootfile is up to 127 bytes long");
    }
    if (config.hostname.size() > 32) {
        return fail("hostname is up to 32 bytes long");
    }
    if (config.tftp_server.size() > 255 || config.domain.size() > 255) {
        return fail("tftp-server-name and domainname are up to 255 bytes long");
    }
    return config;
}

}  // namespace weft::sys
