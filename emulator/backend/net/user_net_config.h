// What a user-mode network is to be: addresses and forwarded ports. Set by options; all addresses in network order, as libslirp
// takes them.
#pragma once

#include <netinet/in.h>

#include <string>
#include <vector>

namespace weft::backend {

struct UserNetConfig {
    bool restricted = false;  // the guest reaches nothing but forwarded ports

    bool ipv4 = true;
    in_addr network{}, mask{}, host{}, dhcp_start{}, dns{};

    bool ipv6 = true;
    in6_addr network6{}, host6{}, dns6{};
    unsigned prefix6 = 64;

    // Empty: none.
    std::string hostname, domain, tftp, tftp_server, bootfile;
    std::vector<std::string> dns_search;

    // A port of the host that leads to one of the guest's.
    struct HostForward {
        bool udp = false;
        in_addr host{};  // any: all of the host's addresses
        unsigned host_port = 0;
        in_addr guest{};  // any: the first that DHCP gives
        unsigned guest_port = 0;
        std::string text;  // as it was written
    };
    std::vector<HostForward> host_forwards;

    // An address and port of the virtual network that leads to a program, started for each connection with that as its input
    // and output, or to a socket of the host's file system.
    struct GuestForward {
        in_addr address{};
        unsigned port = 0;
        bool unix_socket = false;
        std::string target;
        std::string text;
    };
    std::vector<GuestForward> guest_forwards;
};

}  // namespace weft::backend
