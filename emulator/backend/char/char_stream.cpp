#include "emulator/backend/char/char_stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/messages.h"
#include "emulator/backend/char/stream_socket.h"

namespace weft::backend {

namespace {

// What a side that takes nothing may make weft keep; characters beyond it are lost.
constexpr size_t kMaxKept = size_t{1} << 20;

// That come with one piece of what a peer sends; more are closed.
constexpr size_t kMostDescriptors = 16;

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
    Result<UniqueFd> fd = open_stream_socket(choice);
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
    stream->spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (choice.wait) {
        await_client(stream->listener_.get());
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
    telnet_input_.start();
    {
        const MutexLock lock(mutex_);
        fd_ = std::move(fd);
        kept_.clear();
        if (telnet_) {
            const std::span<const uint8_t> greeting = TelnetInput::greeting();
            kept_.assign(greeting.begin(), greeting.end());
        }
    }
    flush();
    watch_input();
    if (receiver_ != nullptr) {
        receiver_->opened();
    }
}

void CharStream::disconnect() {
    input_watch_.reset();
    gone_watch_.reset();
    output_watch_.reset();
    {
        const MutexLock lock(mutex_);
        fd_.reset();
        kept_.clear();
        broken_ = false;
    }
    descriptors_.clear();
    if (receiver_ != nullptr) {
        receiver_->closed();
    }
    watch_listener();
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
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        refuse_client();
    }
}

// The listener would stay readable and the loop spin. Where descriptors have run out, the spare one takes the client, which
// is sent away; where that does not help, nobody is listened to any more.
void CharStream::refuse_client() {
    const auto error = fail_errno("a client of a serial line cannot be taken");
    spare_.reset();
    const UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client && errno != EAGAIN) {
        listen_watch_.reset();
        listener_.reset();
    }
    if (!refused_) {
        print_warning(error.error().message());
    }
    refused_ = true;
    spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

namespace {

// Until there are `most` bytes.
void append(std::vector<uint8_t>& kept, std::span<const uint8_t> data, bool telnet, size_t most) {
    for (const uint8_t byte : data) {
        if (kept.size() >= most) {
            return;
        }
        kept.push_back(byte);
        if (telnet && byte == kTelnetEscape) {
            kept.push_back(byte);
        }
    }
}

}  // namespace

void CharStream::keep(std::span<const uint8_t> data) { append(kept_, data, telnet_, kMaxKept); }

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

bool CharStream::write_whole(std::span<const uint8_t> data) {
    const MutexLock lock(mutex_);
    if (!fd_) {
        return true;
    }
    // Who has taken all that came before is given whatever there is, of any size.
    const bool idle = kept_.empty();
    const size_t size = telnet_ ? 2 * data.size() : data.size();  // at most: each byte may be an escape byte
    if (!idle && kept_.size() + size > kMaxKept) {
        return false;
    }
    append(kept_, data, telnet_, SIZE_MAX);
    if (idle && !write_kept()) {
        loop_.post(flush_work_);
    }
    return true;
}

bool CharStream::connected() const {
    const MutexLock lock(mutex_);
    return static_cast<bool>(fd_);
}

bool CharStream::hang_up() {
    if (pty_other_end_) {
        return false;
    }
    const MutexLock lock(mutex_);
    if (fd_) {
        broken_ = true;
        loop_.post(flush_work_);
    }
    return true;
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
    if (receiver_ != nullptr && connected()) {
        receiver_->opened();
    }
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
    if (!deliver_rest()) {
        watch_gone(fd);
        return;
    }
    gone_watch_.reset();
    if (fd >= 0 && !input_watch_) {
        input_watch_ = loop_.watch(fd, EventLoop::Ready::readable, [this] { read_input(); });
    }
}

void CharStream::receive(std::span<const uint8_t> data) {
    if (!telnet_) {
        if (receiver_ != nullptr) {
            receiver_->receive(data);
        }
        return;
    }
    std::vector<uint8_t> answers;
    const std::vector<uint8_t> characters = telnet_input_.characters(data, answers);
    if (!answers.empty()) {
        const MutexLock lock(mutex_);
        if (kept_.size() + answers.size() <= kMaxKept) {
            kept_.insert(kept_.end(), answers.begin(), answers.end());
            loop_.post(flush_work_);
        }
    }
    if (receiver_ != nullptr && !characters.empty()) {
        receiver_->receive(characters);
    }
}

// As read(2). Descriptors that come with it take the place of those before, which nobody asked for.
ssize_t CharStream::read_some(int fd, std::span<uint8_t> buffer) {
    if (pty_other_end_) {
        return ::read(fd, buffer.data(), buffer.size());
    }
    iovec part{buffer.data(), buffer.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))> control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t count = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (count <= 0) {
        return count;
    }
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
        if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        descriptors_.clear();
        for (size_t at = 0; at + CMSG_LEN(sizeof(int)) <= one->cmsg_len; at += sizeof(int)) {
            int received = -1;
            std::memcpy(&received, CMSG_DATA(one) + at, sizeof received);
            descriptors_.emplace_back(received);
        }
    }
    return count;
}

UniqueFd CharStream::take_descriptor() {
    if (descriptors_.empty()) {
        return {};
    }
    UniqueFd first = std::move(descriptors_.front());
    descriptors_.erase(descriptors_.begin());
    return first;
}

void CharStream::read_input() {
    std::array<uint8_t, 4096> buffer;
    const size_t room = receiver_ != nullptr ? input_gate_.room(*receiver_) : buffer.size();
    int fd = -1;
    {
        const MutexLock lock(mutex_);
        fd = fd_.get();
    }
    if (room == 0) {
        input_watch_.reset();
        watch_gone(fd);
        return;
    }
    const ssize_t count = read_some(fd, std::span(buffer).first(std::min(room, buffer.size())));
    if (count > 0) {
        receive(std::span(buffer).first(static_cast<size_t>(count)));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        disconnect();
    }
}

void CharStream::watch_gone(int fd) {
    if (fd >= 0 && !gone_watch_) {
        gone_watch_ = loop_.watch(fd, EventLoop::Ready::gone, [this] { read_rest(); });
    }
}

// The client has gone while its receiver was full: what it sent is kept, and the line is free for the next one. A client that
// only stopped sending gets no answer to what is kept, as if its line had been read to the end at once.
void CharStream::read_rest() {
    std::array<uint8_t, 4096> buffer;
    int fd = -1;
    {
        const MutexLock lock(mutex_);
        fd = fd_.get();
    }
    for (;;) {
        const ssize_t count = read_some(fd, buffer);
        if (count > 0 && rest_.size() < kMaxKept) {
            rest_.insert(rest_.end(), buffer.begin(), buffer.begin() + count);
        } else if (count <= 0 && errno != EINTR) {
            break;
        }
    }
    disconnect();
}

// True: there is nothing more of clients that have gone.
bool CharStream::deliver_rest() {
    while (!rest_.empty()) {
        const size_t room = receiver_ != nullptr ? input_gate_.room(*receiver_) : rest_.size();
        if (room == 0) {
            return false;
        }
        const auto end = rest_.begin() + static_cast<ptrdiff_t>(std::min(room, rest_.size()));
        const std::vector<uint8_t> piece(rest_.begin(), end);
        rest_.erase(rest_.begin(), end);
        receive(piece);
    }
    return true;
}

}  // namespace weft::backend
