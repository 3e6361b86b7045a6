#include "emulator/backend/char/char_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/text_values.h"

namespace weft::backend {

namespace {

// What a side that takes nothing may make weft keep; characters beyond it are lost.
constexpr size_t kMaxKept = size_t{1} << 20;

// RFC 854.
constexpr uint8_t kIac = 255;
constexpr uint8_t kSubBegin = 250, kSubEnd = 240;
constexpr uint8_t kWill = 251, kDont = 254;
// WILL ECHO, WILL SUPPRESS-GO-AHEAD, WILL BINARY, DO BINARY.
constexpr uint8_t kTelnetGreeting[] = {255, 251, 1, 255, 251, 3, 255, 251, 0, 255, 253, 0};

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
        return ::connect(fd.get(), generic, sizeof address) == 0 ? Result<UniqueFd>(std::move(fd))
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
                          : ::connect(fd.get(), one->ai_addr, one->ai_addrlen) == 0) {
            return fd;
        }
        error = errno;
    }
    return fail_errno(name_of(choice), error);
}

void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

CharStream::CharStream(EventLoop& loop)
    : loop_(loop),
      flush_work_([](void* self) { static_cast<CharStream*>(self)->flush(); }, this),
      input_work_([](void* self) { static_cast<CharStream*>(self)->watch_input(); }, this) {}

CharStream::~CharStream() {
    loop_.cancel(flush_work_);
    loop_.cancel(input_work_);
    if (!unlink_path_.empty()) {
        unlink(unlink_path_.c_str());
    }
}

Result<std::unique_ptr<CharStream>> CharStream::open_socket(EventLoop& loop, const SocketChoice& choice) {
    std::unique_ptr<CharStream> stream(new CharStream(loop));
    Result<UniqueFd> fd = choice.path.empty() ? tcp_socket(choice) : unix_socket(choice);
    if (!fd) {
        return std::unexpected(fd.error());
    }
    stream->telnet_ = choice.telnet;
    if (!choice.server) {
        stream->connect(std::move(*fd));
        return stream;
    }
    stream->unlink_path_ = choice.path;
    stream->listener_ = std::move(*fd);
    set_nonblocking(stream->listener_.get());
    if (choice.wait) {
        pollfd state{stream->listener_.get(), POLLIN, 0};
        // The program has blocked the signals that end it, to read them in its loop, which does not run yet.
        sigset_t none;
        sigemptyset(&none);
        while (ppoll(&state, 1, nullptr, &none) < 0 && errno == EINTR) {
        }
        stream->accept_client();
    }
    stream->watch_listener();
    return stream;
}

Result<std::unique_ptr<CharStream>> CharStream::open_pty(EventLoop& loop) {
    std::unique_ptr<CharStream> stream(new CharStream(loop));
    UniqueFd fd(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    std::array<char, 128> path{};
    if (!fd || grantpt(fd.get()) != 0 || unlockpt(fd.get()) != 0 ||
        ptsname_r(fd.get(), path.data(), path.size()) != 0) {
        return fail_errno("cannot make a pseudo-terminal");
    }
    stream->pty_path_ = path.data();
    stream->pty_other_end_.reset(::open(path.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    termios mode{};
    if (!stream->pty_other_end_ || tcgetattr(stream->pty_other_end_.get(), &mode) != 0) {
        return fail_errno("cannot open the pseudo-terminal");
    }
    cfmakeraw(&mode);
    tcsetattr(stream->pty_other_end_.get(), TCSANOW, &mode);
    stream->connect(std::move(fd));
    return stream;
}

void CharStream::connect(UniqueFd fd) {
    set_nonblocking(fd.get());
    telnet_state_ = 0;
    {
        const MutexLock lock(mutex_);
        fd_ = std::move(fd);
        kept_.clear();
        if (telnet_) {
            kept_.assign(std::begin(kTelnetGreeting), std::end(kTelnetGreeting));
        }
    }
    flush();
    watch_input();
    if (receiver_ != nullptr) {
        receiver_->line_opened();
    }
}

void CharStream::disconnect() {
    input_watch_.reset();
    output_watch_.reset();
    {
        const MutexLock lock(mutex_);
        fd_.reset();
        kept_.clear();
        broken_ = false;
    }
    watch_listener();
    if (receiver_ != nullptr) {
        receiver_->line_closed();
    }
}

void CharStream::watch_listener() {
    const MutexLock lock(mutex_);
    if (listener_ && !fd_ && !listen_watch_) {
        listen_watch_ = loop_.watch(listener_.get(), EventLoop::Ready::readable, [this] { accept_client(); });
    }
}

void CharStream::accept_client() {
    UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client) {
        // Of a Unix socket it means nothing. Lines carry keys, and questions that wait for answers.
        const int on = 1;
        setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        listen_watch_.reset();
        connect(std::move(client));
    }
}

void CharStream::keep(std::span<const uint8_t> data) {
    for (const uint8_t byte : data) {
        if (kept_.size() >= kMaxKept) {
            return;
        }
        kept_.push_back(byte);
        if (telnet_ && byte == kIac) {
            kept_.push_back(byte);
        }
    }
}

bool CharStream::write_kept() {
    size_t sent = 0;
    while (fd_ && sent < kept_.size()) {
        const ssize_t count = ::write(fd_.get(), kept_.data() + sent, kept_.size() - sent);
        if (count >= 0) {
            sent += static_cast<size_t>(count);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            sent = kept_.size();
            // Nobody reads any more. What came before may not have been read yet, and never be: this ends it.
            broken_ = true;
            loop_.post(flush_work_);
        }
    }
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<ptrdiff_t>(sent));
    return kept_.empty();
}

void CharStream::write(std::span<const uint8_t> data) {
    const MutexLock lock(mutex_);
    if (!fd_) {
        return;
    }
    const bool idle = kept_.empty();
    keep(data);
    if (idle && !write_kept()) {
        loop_.post(flush_work_);
    }
}

void CharStream::flush() {
    bool done = false;
    bool broken = false;
    int fd = -1;
    {
        const MutexLock lock(mutex_);
        done = !fd_ || write_kept();
        fd = fd_.get();
        broken = std::exchange(broken_, false);
    }
    if (broken && fd >= 0) {
        disconnect();
    } else if (done) {
        output_watch_.reset();
    } else if (!output_watch_) {
        output_watch_ = loop_.watch(fd, EventLoop::Ready::writable, [this] { flush(); });
    }
}

void CharStream::set_receiver(Receiver* receiver) {
    receiver_ = receiver;
    watch_input();
}

void CharStream::accept_input() {
    if (input_gate_.waits()) {
        loop_.post(input_work_);
    }
}

// Also without a receiver: the end of the connection is to be seen.
void CharStream::watch_input() {
    input_gate_.resume();
    int fd = -1;
    {
        const MutexLock lock(mutex_);
        fd = fd_.get();
    }
    if (fd >= 0 && !input_watch_) {
        input_watch_ = loop_.watch(fd, EventLoop::Ready::readable, [this] { read_input(); });
    }
}

// Commands are read over; of two IACs one stays, which is data.
void CharStream::filter_telnet(std::vector<uint8_t>& data) {
    std::vector<uint8_t> plain;
    for (const uint8_t byte : data) {
        if (telnet_state_ == 0) {
            if (byte == kIac) {
                telnet_state_ = 1;
            } else {
                plain.push_back(byte);
            }
        } else if (telnet_state_ == 1) {
            telnet_command_ = byte;
            if (byte == kIac) {
                plain.push_back(byte);
            }
            telnet_state_ = byte == kSubBegin ? 3 : byte >= kWill && byte <= kDont ? 2 : 0;
        } else if (telnet_state_ == 2) {
            telnet_state_ = 0;  // the option
        } else {
            telnet_state_ = telnet_state_ == 3 ? (byte == kIac ? 4 : 3) : (byte == kSubEnd ? 0 : 3);
        }
    }
    data = std::move(plain);
}

void CharStream::read_input() {
    std::array<uint8_t, 4096> buffer;
    const size_t room = receiver_ != nullptr ? input_gate_.room(*receiver_) : buffer.size();
    if (room == 0) {
        input_watch_.reset();
        return;
    }
    int fd = -1;
    {
        const MutexLock lock(mutex_);
        fd = fd_.get();
    }
    const ssize_t count = ::read(fd, buffer.data(), std::min(room, buffer.size()));
    if (count > 0) {
        std::vector<uint8_t> data(buffer.begin(), buffer.begin() + count);
        if (telnet_) {
            filter_telnet(data);
        }
        if (receiver_ != nullptr && !data.empty()) {
            receiver_->receive(data);
        }
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        disconnect();
    }
}

}  // namespace weft::backend
