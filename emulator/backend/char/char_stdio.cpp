#include "emulator/backend/char/char_stdio.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/messages.h"

namespace weft::backend {

namespace {

// What a sink that takes nothing may make weft keep; characters beyond it are lost.
constexpr size_t kMaxKept = size_t{64} << 20;

}  // namespace

CharStdio::CharStdio(EventLoop& loop, int input, int output)
    : loop_(loop),
      input_(input),
      output_(output),
      flush_work_([](void* self) { static_cast<CharStdio*>(self)->flush(); }, this),
      input_work_([](void* self) { static_cast<CharStdio*>(self)->watch_input(); }, this) {
    open_sink();
}

CharStdio::~CharStdio() {
    loop_.cancel(flush_work_);
    loop_.cancel(input_work_);
}

// O_NONBLOCK belongs to the open file description, which a shell and its other programs share: a terminal or pipe is
// opened once more, for a description of our own.
void CharStdio::open_sink() {
    struct stat info{};
    if (fstat(output_, &info) != 0) {
        return;
    }
    if (S_ISREG(info.st_mode)) {
        sink_ = SinkKind::plain;
    } else if (S_ISSOCK(info.st_mode)) {
        sink_ = SinkKind::socket;
    } else {
        const std::string path = fmt::format("/proc/self/fd/{}", output_);
        own_sink_.reset(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        sink_ = own_sink_ ? SinkKind::own : SinkKind::careful;
    }
}

size_t CharStdio::write_some(std::span<const uint8_t> data) {
    size_t written = 0;
    while (written < data.size()) {
        const std::span<const uint8_t> rest = data.subspan(written);
        ssize_t count = 0;
        switch (sink_) {
            case SinkKind::own:
                count = ::write(own_sink_.get(), rest.data(), rest.size());
                break;
            case SinkKind::plain:
                count = ::write(output_, rest.data(), rest.size());
                break;
            case SinkKind::socket:
                count = send(output_, rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
                break;
            case SinkKind::careful: {
                // A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7)).
                pollfd state{output_, POLLOUT, 0};
                if (poll(&state, 1, 0) == 0) {
                    return written;
                }
                count = ::write(output_, rest.data(), std::min<size_t>(rest.size(), PIPE_BUF));
                break;
            }
        }
        if (count >= 0) {
            written += static_cast<size_t>(count);
        } else if (errno == EAGAIN) {
            return written;
        } else if (errno != EINTR) {
            return data.size();  // nobody reads any more
        }
    }
    return written;
}

void CharStdio::write(std::span<const uint8_t> data) {
    bool lost = false;
    {
        MutexLock lock(mutex_);
        if (kept_.empty()) {
            data = data.subspan(write_some(data));
            if (data.empty()) {
                return;
            }
            loop_.post(flush_work_);
        }
        const size_t taken = std::min(data.size(), kMaxKept - (kept_.size() - sent_));
        kept_.insert(kept_.end(), data.begin(), data.begin() + static_cast<ptrdiff_t>(taken));
        lost = taken < data.size() && !overflowed_;
        overflowed_ = overflowed_ || lost;
    }
    if (lost) {
        print_warning("standard output takes nothing: characters of the serial port are lost");
    }
}

bool CharStdio::write_kept() {
    sent_ += write_some(std::span(kept_).subspan(sent_));
    if (sent_ == kept_.size()) {
        kept_ = {};
        sent_ = 0;
    } else if (sent_ > kept_.size() / 2) {
        // Each byte is moved once at most on average.
        kept_.erase(kept_.begin(), kept_.begin() + static_cast<ptrdiff_t>(sent_));
        sent_ = 0;
    }
    return kept_.empty();
}

void CharStdio::flush() {
    bool done = false;
    {
        MutexLock lock(mutex_);
        done = write_kept();
    }
    if (done) {
        output_watch_.reset();
    } else if (!output_watch_) {
        output_watch_ = loop_.watch(own_sink_ ? own_sink_.get() : output_, EventLoop::Ready::writable,
                                    [this] { flush(); });
    }
}

void CharStdio::drain() {
    MutexLock lock(mutex_);
    while (!write_kept()) {
        pollfd state{output_, POLLOUT, 0};
        poll(&state, 1, -1);
    }
}

void CharStdio::set_receiver(Receiver* receiver) {
    receiver_ = receiver;
    if (receiver_ == nullptr) {
        input_watch_.reset();
    } else {
        watch_input();
        receiver_->opened();
    }
}

void CharStdio::accept_input() {
    if (input_gate_.waits()) {
        loop_.post(input_work_);
    }
}

void CharStdio::watch_input() {
    input_gate_.resume();
    if (!input_ended_ && !input_watch_ && receiver_ != nullptr) {
        input_watch_ = loop_.watch(input_, EventLoop::Ready::readable, [this] { read_input(); });
    }
}

void CharStdio::read_input() {
    const size_t room = input_gate_.room(*receiver_);
    if (room == 0) {
        input_watch_.reset();
        return;
    }
    std::array<uint8_t, 4096> buffer;
    const ssize_t count = ::read(input_, buffer.data(), std::min(room, buffer.size()));
    if (count > 0) {
        receiver_->receive(std::span(buffer).first(static_cast<size_t>(count)));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        input_ended_ = true;
        input_watch_.reset();
    }
}

}  // namespace weft::backend
