#include "emulator/backend/char/stream_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <utility>

#include "base/text_values.h"

namespace weft::backend {

namespace {

// Signals have their effect for a scope.
class SignalsUnblocked {
  public:
    SignalsUnblocked() {
        sigset_t none;
        sigemptyset(&none);
        pthread_sigmask(SIG_SETMASK, &none, &saved_);
    }
    ~SignalsUnblocked() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }
    SignalsUnblocked(const SignalsUnblocked&) = delete;
    SignalsUnblocked& operator=(const SignalsUnblocked&) = delete;

  private:
    sigset_t saved_;
};

// As connect(2), which goes on in the background where a signal comes.
bool connect_fully(int fd, const sockaddr* address, socklen_t size) {
    if (::connect(fd, address, size) == 0) {
        return true;
    }
    if (errno != EINTR) {
        return false;
    }
    pollfd state{fd, POLLOUT, 0};
    while (poll(&state, 1, -1) < 0 && errno == EINTR) {
    }
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    errno = error;
    return error == 0;
}

std::string name_of(const SocketChoice& choice) {
    return choice.path.empty() ? fmt::format("'{}:{}'", choice.host, choice.port) : in_quotes(choice.path);
}

Result<UniqueFd> unix_socket(const SocketChoice& choice) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (choice.path.size() >= sizeof address.sun_path) {
        return fail_errno(name_of(choice), ENAMETOOLONG);
    }
    std::memcpy(address.sun_path, choice.path.data(), choice.path.size());
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) {
        return fail_errno(name_of(choice));
    }
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (!choice.server) {
        return connect_fully(fd.get(), generic, sizeof address) ? Result<UniqueFd>(std::move(fd))
                                                                : fail_errno(name_of(choice));
    }
    struct stat info{};
    if (lstat(choice.path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) {
        unlink(choice.path.c_str());
    }
    // Before it is bound, so that nobody else gets a moment.
    if (fchmod(fd.get(), 0600) != 0 || bind(fd.get(), generic, sizeof address) != 0 ||
        listen(fd.get(), 1) != 0) {
        return fail_errno(name_of(choice));
    }
    return fd;
}

Result<UniqueFd> tcp_socket(const SocketChoice& choice) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const std::string host = choice.host.empty() ? "localhost" : choice.host;
    if (const int error = getaddrinfo(host.c_str(), choice.port.c_str(), &hints, &list); error != 0) {
        return fail(fmt::format("{}: {}", name_of(choice), gai_strerror(error)));
    }
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, freeaddrinfo);
    int error = EADDRNOTAVAIL;
    for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
        UniqueFd fd(socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!fd) {
            error = errno;
            continue;
        }
        const int on = 1;
        if (choice.server) {
            setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        }
        if (choice.server ? bind(fd.get(), one->ai_addr, one->ai_addrlen) == 0 && listen(fd.get(), 1) == 0
                          : connect_fully(fd.get(), one->ai_addr, one->ai_addrlen)) {
            return fd;
        }
        error = errno;
    }
    return fail_errno(name_of(choice), error);
}

// Whoever started the program opened it.
Result<UniqueFd> given_socket(int number, bool server) {
    int listens = 0;
    socklen_t length = sizeof listens;
    if (getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) != 0) {
        return fail_errno(fmt::format("descriptor {}", number));
    }
    if ((listens != 0) != server) {
        return fail(fmt::format("descriptor {}: the socket {} (server={})", number,
                                server ? "does not listen" : "listens", server ? "off" : "on"));
    }
    UniqueFd fd(number);
    return fcntl(number, F_SETFD, FD_CLOEXEC) == 0 ? Result<UniqueFd>(std::move(fd))
                                                   : fail_errno(fmt::format("descriptor {}", number));
}

}  // namespace

Result<UniqueFd> open_stream_socket(const SocketChoice& choice) {
    if (choice.fd) {
        return given_socket(*choice.fd, choice.server);
    }
    const SignalsUnblocked unblocked;
    return choice.path.empty() ? tcp_socket(choice) : unix_socket(choice);
}

void await_client(int listener) {
    const SignalsUnblocked unblocked;
    pollfd state{listener, POLLIN, 0};
    while (poll(&state, 1, -1) < 0 && errno == EINTR) {
    }
}

}  // namespace weft::backend
