#include "emulator/linux-user/debug/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/raw_syscall.h"
#include "emulator/linux-user/signal/host_signals.h"

namespace weft::user {

namespace {

// The receiver waits while so much is not looked at yet.
constexpr size_t kMostReceived = size_t{256} << 10;

// How long a client that has not taken what it was sent may go on so: the program's threads and its end wait for it meanwhile. Clients
// take an answer before they ask again, so that there is more room than that.
constexpr int kPatienceMs = 5000;

bool becomes_writable(int fd) {
    ::pollfd entry{.fd = fd, .events = POLLOUT, .revents = 0};
    int ready = 0;
    do {
        ready = ::poll(&entry, 1, kPatienceMs);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

// From here on the calling thread has a table of descriptors of its own, in which 0 to 2 are nothing that could be written to.
Result<> leave_descriptors() {
    const int64_t done = raw_syscall(SYS_close_range, 0U, ~0U, CLOSE_RANGE_UNSHARE);
    if (done < 0) {
        errno = static_cast<int>(-done);
        return fail_errno("close_range");
    }
    for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
        if (::open("/", O_PATH) != fd) {
            return fail_errno("/");
        }
    }
    return {};
}

Result<> bind_to_path(int fd, const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) {
        return fail(fmt::format("a socket's name has {} bytes at most", sizeof(address.sun_path) - 1));
    }
    path.copy(address.sun_path, path.size());
    // One that an earlier process left; what is no socket stays.
    struct ::stat old{};
    if (::lstat(path.c_str(), &old) == 0 && S_ISSOCK(old.st_mode)) {
        ::unlink(path.c_str());
    }
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? Result<>()
                                                                                         : fail_errno("bind");
}

Result<> bind_to_port(int fd, uint16_t port) {
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? Result<>()
                                                                                         : fail_errno("bind");
}

}  // namespace

Result<std::unique_ptr<DebugServer>> DebugServer::start(const DebugAddress& address, Process& process,
                                                        UserTarget& target, StopControl& stops) {
    std::unique_ptr<DebugServer> server(new DebugServer(address, process, target, stops));
    // Its threads take no signals; those of the guest's do.
    const uint64_t mask = host_mask();
    set_host_mask(kAllSignals);
    auto thread = weft::Thread::start("debugger", [made = server.get()] { made->run(); });
    set_host_mask(mask);
    if (!thread) {
        return std::unexpected(thread.error());
    }
    server->thread_ = std::move(*thread);
    MutexLock lock(server->mutex_);
    while (!server->started_) {
        server->changed_.wait(server->mutex_);
    }
    if (!*server->started_) {
        return std::unexpected(server->started_->error());
    }
    return server;
}

DebugServer::~DebugServer() {
    {
        MutexLock lock(mutex_);
        quit_ = true;
        changed_.notify_all();
    }
    thread_.join();
}

void DebugServer::wake() {
    MutexLock lock(mutex_);
    woken_ = true;
    changed_.notify_all();
}

DebugServer::News DebugServer::wait() {
    MutexLock lock(mutex_);
    while (!quit_ && !woken_ && received_.empty() && !closed_) {
        changed_.wait(mutex_);
    }
    woken_ = false;
    // The receiver's end is news once: there is nothing more of it.
    News news{std::exchange(received_, {}), std::exchange(closed_, false), quit_};
    changed_.notify_all();  // the receiver, that there is room
    return news;
}

void DebugServer::run() {
    Result<UniqueFd> listener = listen();
    {
        MutexLock lock(mutex_);
        started_ = listener ? Result<>() : std::unexpected(listener.error());
        changed_.notify_all();
    }
    if (!listener) {
        return;
    }
    // No client before there is a thread to be looked at.
    std::optional<StopControl::Stop> first;
    while (!(first = stops_.take_stop())) {
        if (wait().quit) {
            return;
        }
    }
    // Of the start: there is one thread, which it is of.
    first->thread = stops_.threads().front();
    target_.note_stop(*first);
    client_ = accept(std::move(*listener));
    if (!client_) {
        target_.detach();
        return;
    }
    process_.sighand().intercept(true);
    auto receiver = weft::Thread::start("debugger-in", [this] { receive(); });
    if (receiver) {
        serve();
        ::shutdown(client_.get(), SHUT_RDWR);
        {
            MutexLock lock(mutex_);
            quit_ = true;
            changed_.notify_all();
        }
        receiver->join();
    } else {
        target_.detach();
    }
    client_.reset();
}

Result<UniqueFd> DebugServer::listen() const {
    if (const Result<> done = leave_descriptors(); !done) {
        return std::unexpected(done.error());
    }
    UniqueFd fd(::socket(address_.path.empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) {
        return fail_errno("socket");
    }
    const Result<> bound = address_.path.empty() ? bind_to_port(fd.get(), address_.port)
                                                 : bind_to_path(fd.get(), address_.text());
    if (!bound) {
        return std::unexpected(bound.error());
    }
    if (::listen(fd.get(), 1) != 0) {
        return fail_errno("listen");
    }
    return fd;
}

UniqueFd DebugServer::accept(UniqueFd listener) {
    UniqueFd client;
    do {
        client.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        // accept(2): errors of one connection, of which there may be another.
    } while (!client && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
    if (!client) {
        return client;
    }
    const int on = 1;
    // Packets are answered one by one; of a Unix socket it means nothing.
    ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (!address_.path.empty()) {
        ::unlink(address_.text().c_str());
    }
    return client;
}

// The receiver's thread.
void DebugServer::receive() {
    std::array<char, 4096> part;
    while (true) {
        const ssize_t got = ::recv(client_.get(), part.data(), part.size(), 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        MutexLock lock(mutex_);
        if (got <= 0) {
            closed_ = true;
            changed_.notify_all();
            return;
        }
        received_.append(part.data(), static_cast<size_t>(got));
        changed_.notify_all();
        while (received_.size() > kMostReceived && !quit_) {
            changed_.wait(mutex_);
        }
    }
}

void DebugServer::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes.remove_prefix(static_cast<size_t>(sent));
        } else if (errno == EAGAIN ? !becomes_writable(client_.get()) : errno != EINTR) {
            // The receiver sees the end.
            ::shutdown(client_.get(), SHUT_RDWR);
            return;
        }
    }
}

void DebugServer::serve() {
    control::gdb::Session session(target_, *this);
    bool detaches = false;
    while (true) {
        const auto stop = stops_.take_stop();
        if (stop) {
            target_.note_stop(*stop);
            session.stopped(*stop);
            if (stop->kind == StopControl::Stop::Kind::exited ||
                stop->kind == StopControl::Stop::Kind::killed) {
                stops_.end_told();
                return;
            }
        }
        if (detaches && !session.running()) {
            target_.detach();
            return;
        }
        const News news = wait();
        if (news.quit) {
            return;
        }
        session.receive({reinterpret_cast<const uint8_t*>(news.bytes.data()), news.bytes.size()});
        if (session.over()) {
            return;
        }
        detaches = detaches || news.closed;
        if (news.closed && session.running()) {
            // Breakpoints go while everybody is stopped.
            stops_.interrupt();
        }
    }
}

}  // namespace weft::user
