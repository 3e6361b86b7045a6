// Networks that are lines to another program or to the host's kernel, as options describe them.
#pragma once

#include <optional>
#include <string>

namespace weft::backend {

struct NetAddress {
    enum class Kind { none, inet, unix_socket, descriptor };
    Kind kind = Kind::none;
    std::string host = {};  // inet; empty: this host only where it is listened to
    std::string port = {};  // inet: a number or a service's name
    std::string path = {};  // unix_socket
    bool abstract = false;  // unix_socket: a name of the kernel's own (unix(7))
    int descriptor = -1;    // inherited; is closed with the network
};

struct LineNetConfig {
    enum class Kind { stream, datagram, tap };
    Kind kind = Kind::stream;

    // stream: where to connect, or with `server` where to listen. datagram: where frames go; none with a descriptor in `local`. A descriptor in
    // both: the line is of the descriptor's own type, whatever `kind` says.
    NetAddress remote = {};
    NetAddress local = {};  // datagram: where they come; none: any port
    bool server = false;
    // stream: how long after a connection ended, or was refused, the next is tried; 0: never.
    unsigned reconnect_ms = 0;

    // tap: the device's name, or an open descriptor of one.
    std::string device = {};
    std::optional<int> descriptor = {};
};

}  // namespace weft::backend
