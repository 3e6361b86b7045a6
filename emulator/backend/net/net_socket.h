// Opening the sockets of networks.
#pragma once

#include <sys/socket.h>

#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "emulator/backend/net/line_net_config.h"

namespace weft::backend {

// An address as the kernel takes it.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    int family() const { return storage.ss_family; }
};

// `type`: SOCK_STREAM or SOCK_DGRAM. `passive`: to be bound. Asks the host's name service, which may take its time.
Result<SocketAddress> resolve(const NetAddress& address, int type, bool passive);
// How messages name it.
std::string describe(const NetAddress& address);

// A socket that never waits and is not inherited.
Result<UniqueFd> new_socket(int family, int type);
// The descriptor that the program was started with, as such a socket; refused unless it is one of that type.
Result<UniqueFd> adopt_socket(int descriptor, int type);
// The type of an inherited socket.
Result<int> socket_type(int descriptor);

// Removes the socket of a program that has gone, which a bind() would stumble over. Other files are left alone.
void remove_stale(const NetAddress& address);

}  // namespace weft::backend
