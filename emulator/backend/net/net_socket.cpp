#include "emulator/backend/net/net_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

#include "base/text_values.h"

namespace weft::backend {

namespace {

Result<SocketAddress> resolve_unix(const NetAddress& address) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    // An abstract name begins with a zero byte, and ends where the address does (unix(7)).
    const size_t offset = address.abstract ? 1 : 0;
    if (address.path.empty() || address.path.size() + 1 > sizeof name.sun_path) {
        return fail_errno(describe(address), address.path.empty() ? EINVAL : ENAMETOOLONG);
    }
    std::memcpy(name.sun_path + offset, address.path.data(), address.path.size());
    SocketAddress result;
    std::memcpy(&result.storage, &name, sizeof name);
    result.size = address.abstract
                      ? static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + address.path.size())
                      : static_cast<socklen_t>(sizeof name);
    return result;
}

}  // namespace

std::string describe(const NetAddress& address) {
    switch (address.kind) {
        case NetAddress::Kind::inet:
            return in_quotes(fmt::format("{}:{}", address.host, address.port));
        case NetAddress::Kind::unix_socket:
            return in_quotes(address.path);
        case NetAddress::Kind::descriptor:
            return fmt::format("descriptor {}", address.descriptor);
        case NetAddress::Kind::none:
            break;
    }
    return "no address";
}

Result<SocketAddress> resolve(const NetAddress& address, int type, bool passive) {
    if (address.kind == NetAddress::Kind::unix_socket) {
        return resolve_unix(address);
    }
    addrinfo hints{};
    hints.ai_socktype = type;
    hints.ai_flags = passive ? AI_PASSIVE : 0;
    addrinfo* list = nullptr;
    const std::string host = address.host.empty() ? "localhost" : address.host;
    if (const int error = getaddrinfo(host.c_str(), address.port.c_str(), &hints, &list); error != 0) {
        return fail(fmt::format("{}: {}", describe(address), gai_strerror(error)));
    }
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, freeaddrinfo);
    SocketAddress result;
    std::memcpy(&result.storage, list->ai_addr, list->ai_addrlen);
    result.size = list->ai_addrlen;
    return result;
}

Result<UniqueFd> new_socket(int family, int type) {
    UniqueFd fd(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    return fd ? Result<UniqueFd>(std::move(fd)) : fail_errno("cannot make a socket");
}

Result<int> socket_type(int descriptor) {
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
        return fail_errno(fmt::format("descriptor {} is no socket", descriptor));
    }
    return type;
}

Result<UniqueFd> adopt_socket(int descriptor, int type) {
    const Result<int> is = socket_type(descriptor);
    if (!is) {
        return std::unexpected(is.error());
    }
    if (*is != type) {
        return fail(fmt::format("descriptor {} is no {} socket", descriptor,
                                type == SOCK_STREAM ? "stream" : "datagram"));
    }
    const int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) {
        return fail_errno(fmt::format("descriptor {}", descriptor));
    }
    return UniqueFd(descriptor);
}

void remove_stale(const NetAddress& address) {
    struct stat info{};
    if (address.kind == NetAddress::Kind::unix_socket && !address.abstract &&
        lstat(address.path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) {
        unlink(address.path.c_str());
    }
}

}  // namespace weft::backend
