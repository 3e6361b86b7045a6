#include "emulator/backend/stream/channel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <optional>
#include <string_view>

#include "base/text_values.h"
#include "emulator/backend/char/stream_socket.h"

namespace weft::backend {

namespace {

// As much as is written at once, so that a cancellation is seen soon.
constexpr size_t kPiece = 1 << 20;

struct Parsed {
    std::string kind;
    std::string rest;
};

Result<Parsed> parse(const std::string& uri) {
    const size_t colon = uri.find(':');
    const std::string kind = uri.substr(0, colon);
    for (const std::string_view known : {"file", "exec", "unix", "tcp", "fd"}) {
        if (kind == known) {
            if (colon == std::string::npos || colon + 1 == uri.size()) {
                return fail(fmt::format("{} says what it is, and not which", in_quotes(uri)));
            }
            return Parsed{kind, uri.substr(colon + 1)};
        }
    }
    return fail(
        fmt::format("{} is none of file:PATH, exec:COMMAND, unix:PATH, tcp:HOST:PORT, fd:N", in_quotes(uri)));
}

Result<SocketChoice> parse_socket(const Parsed& parsed, bool output) {
    SocketChoice choice;
    choice.server = !output;
    if (parsed.kind == "unix") {
        choice.path = parsed.rest;
        return choice;
    }
    const size_t colon = parsed.rest.rfind(':');
    if (colon == std::string::npos || colon + 1 == parsed.rest.size()) {
        return fail(fmt::format("tcp:{} has no port", parsed.rest));
    }
    choice.host = parsed.rest.substr(0, colon);
    choice.port = parsed.rest.substr(colon + 1);
    // [::1]:4444
    if (choice.host.size() > 2 && choice.host.starts_with('[') && choice.host.ends_with(']')) {
        choice.host = choice.host.substr(1, choice.host.size() - 2);
    }
    return choice;
}

// Only what is this process's own: others may use the same open file, of a number that they gave.
void never_block(int fd) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags >= 0) {
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }
}

class SpawnSettings {
  public:
    SpawnSettings() {
        posix_spawn_file_actions_init(&actions_);
        posix_spawnattr_init(&attributes_);
        // Signals are as a program expects them, whatever is blocked or ignored here.
        sigset_t none;
        sigemptyset(&none);
        sigset_t usual;
        sigemptyset(&usual);
        sigaddset(&usual, SIGPIPE);
        posix_spawnattr_setsigmask(&attributes_, &none);
        posix_spawnattr_setsigdefault(&attributes_, &usual);
        posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    ~SpawnSettings() {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;

    // The child's descriptor `to` is ours of number `from`.
    void give(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }
    int spawn(pid_t& child, const std::string& command) {
        const char* const arguments[] = {"sh", "-c", command.c_str(), nullptr};
        return posix_spawn(&child, "/bin/sh", &actions_, &attributes_, const_cast<char* const*>(arguments),
                           environ);
    }

  private:
    posix_spawn_file_actions_t actions_;
    posix_spawnattr_t attributes_;
};

}  // namespace

Result<> Channel::check(const std::string& uri) {
    const Result<Parsed> parsed = parse(uri);
    if (!parsed) {
        return std::unexpected(parsed.error());
    }
    if (parsed->kind == "tcp") {
        const Result<SocketChoice> choice = parse_socket(*parsed, true);
        return choice ? Result<>() : std::unexpected(choice.error());
    }
    if (parsed->kind == "fd" && !parse_uint(parsed->rest)) {
        return fail(fmt::format("{} is no number of a descriptor", in_quotes(parsed->rest)));
    }
    return {};
}

Result<std::unique_ptr<Channel>> Channel::open_output(const std::string& uri) { return open(uri, true); }
Result<std::unique_ptr<Channel>> Channel::open_input(const std::string& uri) { return open(uri, false); }

Result<std::unique_ptr<Channel>> Channel::open(const std::string& uri, bool output) {
    if (Result<> checked = check(uri); !checked) {
        return std::unexpected(checked.error());
    }
    const Parsed parsed = *parse(uri);
    Result<EventFd> cancelled = EventFd::create();
    if (!cancelled) {
        return std::unexpected(cancelled.error());
    }
    std::unique_ptr<Channel> channel(new Channel(in_quotes(uri), std::move(*cancelled)));
    Result<> opened = parsed.kind == "file"   ? channel->open_file(parsed.rest, output)
                      : parsed.kind == "exec" ? channel->open_command(parsed.rest, output)
                      : parsed.kind == "fd"   ? channel->open_number(parsed.rest)
                                              : channel->open_socket(parsed.kind, parsed.rest, output);
    if (!opened) {
        return std::unexpected(opened.error().within(channel->name_));
    }
    return channel;
}

Result<> Channel::open_file(const std::string& path, bool output) {
    // A FIFO without another end does not hold up whoever asks.
    constexpr int kFlags = O_CLOEXEC | O_NONBLOCK;
    fd_.reset(::open(path.c_str(), (output ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY) | kFlags, 0600));
    kind_ = Kind::own;
    return fd_ ? Result<>() : fail_errno("it cannot be opened");
}

Result<> Channel::open_command(const std::string& command, bool output) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return fail_errno("there is no pipe");
    }
    UniqueFd to_read(ends[0]);
    UniqueFd to_write(ends[1]);
    SpawnSettings settings;
    settings.give(output ? to_read.get() : to_write.get(), output ? STDIN_FILENO : STDOUT_FILENO);
    if (const int error = settings.spawn(command_, command); error != 0) {
        command_ = 0;
        return fail_errno("the shell cannot be run", error);
    }
    fd_ = std::move(output ? to_write : to_read);
    never_block(fd_.get());
    return {};
}

Result<> Channel::open_socket(const std::string& kind, const std::string& address, bool output) {
    const Result<SocketChoice> choice = parse_socket({kind, address}, output);
    if (!choice) {
        return std::unexpected(choice.error());
    }
    Result<UniqueFd> socket = open_stream_socket(*choice);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    never_block(socket->get());
    (output ? fd_ : listener_) = std::move(*socket);
    return {};
}

Result<> Channel::open_number(const std::string& number) {
    const std::optional<uint64_t> fd = parse_uint(number);
    // A copy, so that what the user gave stays the user's.
    fd_.reset(*fd <= INT_MAX ? fcntl(static_cast<int>(*fd), F_DUPFD_CLOEXEC, 3) : -1);
    if (!fd_) {
        return fail(fmt::format("{} is no descriptor that is open", *fd));
    }
    struct stat info{};
    if (fstat(fd_.get(), &info) != 0) {
        return fail_errno("it cannot be asked what it is");
    }
    kind_ = S_ISREG(info.st_mode) ? Kind::own : S_ISSOCK(info.st_mode) ? Kind::shared_socket : Kind::shared;
    return {};
}

Result<> Channel::await(int fd, short events) {
    pollfd states[2] = {{fd, events, 0}, {cancelled_.fd(), POLLIN, 0}};
    while (poll(states, 2, -1) < 0) {
        if (errno != EINTR) {
            return fail_errno(name_);
        }
    }
    return states[1].revents != 0 ? fail(fmt::format("{}: it was cancelled", name_)) : Result<>();
}

Result<> Channel::accept_peer() {
    while (listener_) {
        if (Result<> ready = await(listener_.get(), POLLIN); !ready) {
            return ready;
        }
        UniqueFd peer(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (peer) {
            fd_ = std::move(peer);
            listener_.reset();
        } else if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED) {
            return fail_errno(name_);
        }
    }
    return {};
}

// As much as there is room for now. What others use may block when it is written to: a pipe that is ready has room for PIPE_BUF bytes
// (pipe(7)), and a socket can be asked not to.
ssize_t Channel::write_some(std::span<const uint8_t> bytes) {
    switch (kind_) {
        case Kind::own:
            return ::write(fd_.get(), bytes.data(), std::min(bytes.size(), kPiece));
        case Kind::shared:
            return ::write(fd_.get(), bytes.data(), std::min<size_t>(bytes.size(), PIPE_BUF));
        case Kind::shared_socket:
            break;
    }
    return ::send(fd_.get(), bytes.data(), std::min(bytes.size(), kPiece), MSG_DONTWAIT | MSG_NOSIGNAL);
}

Result<> Channel::write(std::span<const uint8_t> bytes) {
    while (!bytes.empty()) {
        if (Result<> ready = await(fd_.get(), POLLOUT); !ready) {
            return ready;
        }
        const ssize_t written = write_some(bytes);
        if (written >= 0) {
            bytes = bytes.subspan(static_cast<size_t>(written));
        } else if (errno != EINTR && errno != EAGAIN) {
            return fail_errno(name_);
        }
    }
    return {};
}

Result<size_t> Channel::read(std::span<uint8_t> bytes) {
    if (Result<> peer = accept_peer(); !peer) {
        return std::unexpected(peer.error());
    }
    for (;;) {
        if (Result<> ready = await(fd_.get(), POLLIN); !ready) {
            return std::unexpected(ready.error());
        }
        const ssize_t got = ::read(fd_.get(), bytes.data(), std::min(bytes.size(), kPiece));
        if (got >= 0) {
            return static_cast<size_t>(got);
        }
        if (errno != EINTR && errno != EAGAIN) {
            return fail_errno(name_);
        }
    }
}

// The command may go on for as long as it likes, or until the operator cancels.
Result<> Channel::wait_for_command() {
    const UniqueFd ended(static_cast<int>(syscall(SYS_pidfd_open, command_, 0)));
    if (!ended) {
        return fail_errno(name_);
    }
    if (Result<> ready = await(ended.get(), POLLIN); !ready) {
        return ready;
    }
    int status = 0;
    while (waitpid(command_, &status, 0) < 0 && errno == EINTR) {
    }
    command_ = 0;
    if (WIFSIGNALED(status)) {
        return fail(fmt::format("{}: the command was ended by signal {}", name_, WTERMSIG(status)));
    }
    if (WEXITSTATUS(status) != 0) {
        return fail(fmt::format("{}: the command ended with status {}", name_, WEXITSTATUS(status)));
    }
    return {};
}

Channel::~Channel() {
    fd_.reset();
    if (command_ != 0) {
        kill(command_, SIGKILL);
        while (waitpid(command_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
}

Result<> Channel::finish() {
    if (fsync(fd_.get()) != 0 && errno != EINVAL && errno != EROFS) {  // of what can be synchronized
        return fail_errno(name_);
    }
    fd_.reset();
    return command_ != 0 ? wait_for_command() : Result<>();
}

}  // namespace weft::backend
