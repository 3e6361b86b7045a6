// -netdev, -nic and -net: what is accepted, and the message for each thing that is not.
#include <arpa/inet.h>

#include <catch2/catch.hpp>

#include "tests/system/parsed_options.h"

using namespace weft;
using namespace weft::sys;
using weft::test::bad;
using weft::test::good;

namespace {

// Of one network, after "-netdev: ".
std::string wrong(const std::string& value) {
    const std::string text = "user,id=n," + value;
    const std::string message = bad({"-netdev", text.c_str()});
    return message.starts_with("-netdev: ") ? message.substr(9) : message;
}

std::string text(in_addr address) {
    char buffer[INET_ADDRSTRLEN] = {};
    return inet_ntop(AF_INET, &address, buffer, sizeof buffer);
}

std::string text(const in6_addr& address) {
    char buffer[INET6_ADDRSTRLEN] = {};
    return inet_ntop(AF_INET6, &address, buffer, sizeof buffer);
}

}  // namespace

TEST_CASE("a network and its card, in either order", "[options]") {
    const Options options =
        good({"-device", "virtio-net-device,netdev=net", "-netdev",
              "user,id=net,hostfwd=tcp::2222-:22,hostfwd=udp:127.0.0.1:53-10.0.2.20:5353"});
    REQUIRE(options.networks.size() == 1);
    CHECK(options.networks[0].id == "net");
    REQUIRE(options.devices.size() == 1);
    CHECK(options.devices[0].config.reference(hw::PropertyKind::netdev) == "net");
    const backend::UserNetConfig& user = options.networks[0].user;
    CHECK(text(user.network) == "10.0.2.0");
    CHECK(text(user.mask) == "255.255.255.0");
    CHECK(text(user.host) == "10.0.2.2");
    CHECK(text(user.dns) == "10.0.2.3");
    CHECK(text(user.dhcp_start) == "10.0.2.15");
    CHECK(user.ipv4);
    CHECK(user.ipv6);
    CHECK(text(user.network6) == "fec0::");
    CHECK(text(user.host6) == "fec0::2");
    CHECK(text(user.dns6) == "fec0::3");
    CHECK(!user.restricted);
    REQUIRE(user.host_forwards.size() == 2);
    CHECK(!user.host_forwards[0].udp);
    CHECK(text(user.host_forwards[0].host) == "0.0.0.0");
    CHECK(user.host_forwards[0].host_port == 2222);
    CHECK(user.host_forwards[0].guest_port == 22);
    CHECK(user.host_forwards[1].udp);
    CHECK(text(user.host_forwards[1].host) == "127.0.0.1");
    CHECK(text(user.host_forwards[1].guest) == "10.0.2.20");
}

TEST_CASE("the parameters of a user network", "[options]") {
    const Options options =
        good({"-netdev",
              "user,id=n,net=192.168.76.0/"
              "20,dhcpstart=192.168.70.9,host=192.168.70.1,hostname=h,domainname=d,dnssearch=a,"
              "dnssearch=b,tftp=/"
              "t,tftp-server-name=s,bootfile=f,restrict=on,guestfwd=tcp:192.168.70.5:80-cmd:echo -n hi,"
              "guestfwd=:192.168.70.6:81-unix:/tmp/s",
              "-netdev", "user,id=m,net=172.16.0.0,ipv4=on", "-netdev",
              "user,id=k,ipv6=on,ipv6-net=fd00::/48,ipv6-host=fd00::9", "-netdev", "user,id=j,ipv6=off"});
    const backend::UserNetConfig& user = options.networks[0].user;
    CHECK(text(user.network) == "192.168.64.0");
    CHECK(text(user.mask) == "255.255.240.0");
    CHECK(text(user.dns) == "192.168.66.3");
    CHECK(text(user.host) == "192.168.70.1");
    CHECK(user.hostname == "h");
    CHECK(user.domain == "d");
    CHECK(user.dns_search == std::vector<std::string>{"a", "b"});
    CHECK(user.tftp == "/t");
    CHECK(user.tftp_server == "s");
    CHECK(user.bootfile == "f");
    CHECK(user.restricted);
    REQUIRE(user.guest_forwards.size() == 2);
    CHECK(user.guest_forwards[0].target == "echo -n hi");
    CHECK(text(user.guest_forwards[0].address) == "192.168.70.5");
    CHECK(user.guest_forwards[0].port == 80);
    CHECK(user.guest_forwards[1].unix_socket);
    CHECK(user.guest_forwards[1].target == "/tmp/s");
    CHECK(text(options.networks[1].user.mask) == "255.255.0.0");
    CHECK(!options.networks[1].user.ipv6);
    CHECK(!options.networks[2].user.ipv4);
    CHECK(text(options.networks[2].user.host6) == "fd00::9");
    CHECK(options.networks[3].user.ipv4);
    CHECK(!options.networks[3].user.ipv6);
}

TEST_CASE("networks that cannot be", "[options]") {
    CHECK(bad({"-netdev", "id=n"}) ==
          "-netdev: the kind of network comes first: user, stream, dgram, socket or tap");
    const std::string kinds = " (there are 'user', 'stream', 'dgram', 'socket' and 'tap')";
    for (const std::string kind : {"hubport", "bridge", "vde", "vhost-user", "l2tpv3"}) {
        CHECK(bad({"-netdev", (kind + ",id=n").c_str()}) ==
              "-netdev: unknown kind of network '" + kind + "'" + kinds);
    }
    CHECK(bad({"-netdev", "user"}) == "-netdev: a network needs an id");
    CHECK(bad({"-netdev", "user,id=n", "-netdev", "user,id=n"}) == "-netdev: two networks have the id 'n'");
    CHECK(wrong("smb=/x").starts_with("unknown parameter 'smb' of a user network (there are 'ipv4', "));
    CHECK(wrong("net") == "'net' needs a value");
    CHECK(wrong("net=10.0.2") == "net is an IPv4 address, not '10.0.2'");
    CHECK(wrong("net=10.0.2.0/31") == "net has a mask of 4 to 30 bits, not '31'");
    CHECK(wrong("host=10.0.3.2") == "host is not in the network");
    CHECK(wrong("dns=10.0.2.2") == "host, dhcpstart and dns are three addresses");
    CHECK(wrong("ipv6-net=fec0::/127") == "ipv6-net has a prefix of up to 126 bits, not '127'");
    CHECK(wrong("ipv6-dns=1.2.3.4") == "ipv6-dns is an IPv6 address, not '1.2.3.4'");
    CHECK(wrong("ipv4=off,ipv6=off") == "ipv4 and ipv6 are both off");
    CHECK(wrong("restrict=maybe") == "restrict: it is 'on' or 'off', not 'maybe'");
    CHECK(wrong("hostname=" + std::string(33, 'x')) == "hostname is up to 32 bytes long");
    CHECK(wrong("bootfile=" + std::string(128, 'x')) == "bootfile is up to 127 bytes long");
    const std::string shape =
        "hostfwd is [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport with IPv4 addresses, not ";
    for (const char* forward : {"tcp::22", "sctp::1-:2", "tcp:::1-:2", "2222-:22", "tcp::1:2"}) {
        CHECK(wrong(std::string("hostfwd=") + forward) == shape + "'" + forward + "'");
    }
    CHECK(wrong("hostfwd=tcp::65536-:22") ==
          "hostfwd: a port is a number from 0 to 65535, not '65536', in 'tcp::65536-:22'");
    CHECK(wrong("hostfwd=tcp::1-:0") ==
          "hostfwd: a port is a number from 1 to 65535, not '0', in 'tcp::1-:0'");
    CHECK(wrong("hostfwd=tcp:localhost:1-:2") ==
          "hostfwd: the host's address is an IPv4 address, not 'localhost'");
    const std::string guest = "guestfwd is [tcp]:server:port-cmd:COMMAND or -unix:PATH, not ";
    for (const char* forward : {"tcp:10.0.2.9:1", "tcp:10.0.2.9:1-", "tcp:10.0.2.9:1-cmd:",
                                "udp:10.0.2.9:1-cmd:x", "tcp:10.0.2.9:1-tcp:127.0.0.1:80"}) {
        CHECK(wrong(std::string("guestfwd=") + forward) == guest + "'" + forward + "'");
    }
    CHECK(bad({"-device", "virtio-net-device,netdev=n"}) == "-device: there is no netdev with the id 'n'");
    CHECK(bad({"-netdev", "user,id=n", "-device", "virtio-net-device,netdev=n", "-device",
               "virtio-net-device,netdev=n"}) == "-device: netdev 'n' is in use already");
}

TEST_CASE("addresses of cards: those that are given, then the first that are free", "[options]") {
    const Options options =
        good({"-device", "virtio-net-device", "-device", "virtio-net-device,mac=52:54:00:12:34:57", "-device",
              "virtio-net-device,mac=02:AB:cd:0:1:ff", "-device", "virtio-net-device", "-device",
              "virtio-rng-device"});
    CHECK(options.devices[0].config.mac() == hw::MacAddress{0x52, 0x54, 0, 0x12, 0x34, 0x56});
    CHECK(options.devices[1].config.mac() == hw::MacAddress{0x52, 0x54, 0, 0x12, 0x34, 0x57});
    CHECK(options.devices[2].config.mac() == hw::MacAddress{2, 0xab, 0xcd, 0, 1, 0xff});
    CHECK(options.devices[3].config.mac() == hw::MacAddress{0x52, 0x54, 0, 0x12, 0x34, 0x58});
    CHECK(!options.devices[4].config.mac());
    for (const char* mac :
         {"52:54:00:12:34", "52:54:00:12:34:56:78", "52:54:00:12:34:5x", "53:54:00:12:34:56", "x"}) {
        const std::string device = std::string("virtio-net-device,mac=") + mac;
        CHECK(bad({"-device", device.c_str()}) ==
              std::string("-device: device 'virtio-net-device': mac is an address XX:XX:XX:XX:XX:XX of one "
                          "card, not '") +
                  mac + "'");
    }
}

TEST_CASE("-nic and -net", "[options]") {
    const Options options =
        good({"-nic", "user,model=virtio,mac=52:54:00:00:00:01,hostfwd=tcp::2222-:22", "-nic",
              "user,id=n,model=virtio-net-device", "-nic", "none", "-net", "none", "-nic", "user"});
    REQUIRE(options.networks.size() == 3);
    REQUIRE(options.devices.size() == 3);
    for (size_t i = 0; i < 3; ++i) {
        CHECK(options.devices[i].config.type().name == std::string("virtio-net-device"));
        CHECK(options.devices[i].config.reference(hw::PropertyKind::netdev) == options.networks[i].id);
    }
    CHECK(options.networks[1].id == "n");
    CHECK(options.networks[0].user.host_forwards.size() == 1);
    CHECK(options.devices[0].config.mac() == hw::MacAddress{0x52, 0x54, 0, 0, 0, 1});
    CHECK(options.devices[1].config.mac() == hw::kFirstMac);
    CHECK(bad({"-nic", "user,model=e1000"}) ==
          "-nic: unknown model 'e1000' (there are 'virtio' and 'virtio-net-device')");
    CHECK(bad({"-nic", "bridge"}) ==
          "-nic: unknown kind of network 'bridge' (there are 'user', 'stream', 'dgram', 'socket' and 'tap')");
    CHECK(good({"-nic", "socket,model=virtio,listen=:1234"}).networks[0].line->server);
    CHECK(bad({"-net", "user"}) ==
          "-net: 'user' is not 'none' (-nic makes a network with a card, -netdev and -device each of them)");
}

namespace {

using Address = backend::NetAddress::Kind;

backend::LineNetConfig line(const std::string& value) {
    const Options options = good({"-netdev", value.c_str()});
    REQUIRE(options.networks.size() == 1);
    REQUIRE(options.networks[0].line);
    CHECK(options.networks[0].kind == value.substr(0, value.find(',')));
    return *options.networks[0].line;
}

std::string no_line(const std::string& value) {
    const std::string message = bad({"-netdev", value.c_str()});
    return message.starts_with("-netdev: ") ? message.substr(9) : message;
}

}  // namespace

TEST_CASE("lines to other programs, in QEMU's forms", "[options]") {
    using Kind = backend::LineNetConfig::Kind;
    backend::LineNetConfig config = line("stream,id=n,server=on,addr.type=unix,addr.path=/s,,x");
    CHECK(config.kind == Kind::stream);
    CHECK(config.server);
    CHECK(config.remote.kind == Address::unix_socket);
    CHECK(config.remote.path == "/s,x");
    config = line("stream,id=n,addr.type=inet,addr.host=::1,addr.port=77,reconnect-ms=250");
    CHECK_FALSE(config.server);
    CHECK(config.remote.kind == Address::inet);
    CHECK(config.remote.host == "::1");
    CHECK(config.remote.port == "77");
    CHECK(config.reconnect_ms == 250);
    CHECK(line("stream,id=n,addr.type=inet,addr.host=h,addr.port=1,reconnect=2").reconnect_ms == 2000);
    CHECK(line("stream,id=n,addr.type=unix,addr.path=x,addr.abstract=on,addr.tight=on").remote.abstract);
    CHECK(line("stream,id=n,addr.type=fd,addr.str=5").remote.descriptor == 5);
    config = line("dgram,id=n,local.type=unix,local.path=a,remote.type=unix,remote.path=b");
    CHECK(config.kind == Kind::datagram);
    CHECK(config.local.path == "a");
    CHECK(config.remote.path == "b");
    CHECK(line("dgram,id=n,remote.type=inet,remote.host=230.0.0.1,remote.port=1234").local.kind ==
          Address::none);
    CHECK(line("dgram,id=n,local.type=fd,local.str=9").local.descriptor == 9);
    config = line("socket,id=n,listen=:1234");
    CHECK(config.kind == Kind::stream);
    CHECK(config.server);
    CHECK(config.remote.host.empty());
    CHECK(config.remote.port == "1234");
    config = line("socket,id=n,connect=[::1]:1234");
    CHECK_FALSE(config.server);
    CHECK(config.remote.host == "::1");
    config = line("socket,id=n,udp=10.0.0.1:1,localaddr=0.0.0.0:2");
    CHECK(config.kind == Kind::datagram);
    CHECK(config.local.port == "2");
    config = line("socket,id=n,mcast=230.0.0.1:1234,localaddr=127.0.0.1");
    CHECK(config.kind == Kind::datagram);
    CHECK(config.remote.host == "230.0.0.1");
    CHECK(config.local.host == "127.0.0.1");
    CHECK(line("socket,id=n,fd=7").local.descriptor == 7);
    config = line("tap,id=n,ifname=tap0,script=no,downscript=no,vhost=off");
    CHECK(config.kind == Kind::tap);
    CHECK(config.device == "tap0");
    CHECK_FALSE(config.descriptor);
    CHECK(line("tap,id=n,fd=3,vhost=off").descriptor == 3);
}

TEST_CASE("lines that cannot be", "[options]") {
    CHECK(no_line("stream,id=n") == "a stream needs addr.type=inet, unix or fd");
    CHECK(no_line("stream,id=n,addr.type=vsock") == "addr.type is inet, unix or fd, not 'vsock'");
    CHECK(no_line("stream,id=n,addr.type=unix") == "addr.type=unix needs addr.path=");
    CHECK(no_line("stream,id=n,addr.type=inet,addr.host=h") == "addr.type=inet needs addr.port=");
    CHECK(no_line("stream,id=n,addr.type=fd,addr.str=x") ==
          "addr.str is the number of a descriptor, not 'x'");
    CHECK(no_line("stream,id=n,addr.type=unix,addr.path=x,server=maybe") ==
          "server is on or off, not 'maybe'");
    CHECK(no_line("stream,id=n,addr.type=unix,addr.path=x,server=on,reconnect-ms=5") ==
          "only what connects by itself can reconnect");
    CHECK(no_line("stream,id=n,addr.type=unix,addr.path=x,reconnect=5000") ==
          "reconnect is a number up to 3600, not '5000'");
    CHECK(no_line("stream,id=n,addr.type=unix,addr.path=x,colour=red") == "unknown parameter 'colour'");
    CHECK(no_line("dgram,id=n") == "datagrams need remote.type=inet or unix, or local.type=fd");
    CHECK(no_line("dgram,id=n,remote.type=unix,remote.path=x") ==
          "datagrams over unix sockets need local.type=unix and local.path=");
    CHECK(no_line("dgram,id=n,remote.type=fd,remote.str=3") == "a descriptor is named by local.type=fd");
    CHECK(no_line("dgram,id=n,local.type=fd,local.str=3,remote.type=unix,remote.path=x") ==
          "a descriptor's datagrams go where it is connected to: without remote.");
    CHECK(no_line("socket,id=n") == "a socket needs fd=, listen=, connect=, mcast= or udp=");
    CHECK(no_line("socket,id=n,listen=:1,connect=:2") == "listen and connect exclude each other");
    CHECK(no_line("socket,id=n,listen=1234") == "listen is HOST:PORT, not '1234'");
    CHECK(no_line("socket,id=n,udp=h:1") == "udp= needs localaddr=HOST:PORT");
    CHECK(no_line("tap,id=n") == "a TAP device is named by ifname=, up to 15 bytes, or by fd=");
    CHECK(no_line("tap,id=n,ifname=0123456789abcdef,script=no") ==
          "a TAP device is named by ifname=, up to 15 bytes, or by fd=");
    CHECK(no_line("tap,id=n,ifname=t") ==
          "script=no must be said, as no scripts are run: the device has to be up already");
    CHECK(no_line("tap,id=n,ifname=t,script=no,vhost=on") == "vhost=on is not supported (only off)");
    CHECK(no_line("tap,id=n,ifname=t,fd=3") == "fd and ifname exclude each other");
}

TEST_CASE("features of network cards as scripts turn them off", "[options]") {
    const auto card = [](const std::string& properties) {
        const std::string value = "virtio-net-device," + properties;
        return good({"-device", value.c_str()}).devices[0].config;
    };
    CHECK_FALSE(card("csum=off,gso=off,guest_tso4=off,mq=on,rx_queue_size=1024,event_idx=on").on("csum"));
    CHECK_FALSE(card("mrg_rxbuf=off,host_tso4=off").on("host_tso4"));
    CHECK(bad({"-device", "virtio-net-device,packed=on"}) ==
          "-device: device 'virtio-net-device': packed=on is not supported (only off)");
    CHECK(bad({"-device", "virtio-net-device,rx_queue_size=100"}) ==
          "-device: device 'virtio-net-device': rx_queue_size is 256|512|1024, not '100'");
}
