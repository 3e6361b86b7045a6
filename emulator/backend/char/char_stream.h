// A serial line over a socket or a pseudo-terminal: something that others come to and go from.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/mutex.h"
#include "base/unique_fd.h"
#include "base/work_queue.h"
#include "emulator/backend/char/char_backend.h"
#include "emulator/backend/char/input_gate.h"
#include "emulator/backend/char/stream_socket.h"
#include "emulator/backend/char/telnet.h"
#include "emulator/backend/event_loop.h"

namespace weft::backend {

// Output never blocks a caller: what the other side does not take at once is kept, up to a limit, and written by the loop. What
// is written while nobody is there is lost, as on a line without a terminal. One client at a time; others wait to be accepted.
class CharStream final : public CharBackend {
  public:
    // Connects, or listens and (with `wait`) blocks until a client came. A unix socket is the user's alone; one that lies at
    // its path is replaced. The line is removed with the object.
    static Result<std::unique_ptr<CharStream>> open_socket(EventLoop& loop, const SocketChoice& choice);
    // A new pseudo-terminal in raw mode.
    static Result<std::unique_ptr<CharStream>> open_pty(EventLoop& loop);
    ~CharStream() override;

    // Whether somebody is at the other end. Any thread.
    bool connected() const WEFT_EXCLUDES(mutex_);

    // The path of the pseudo-terminal's other end.
    const std::string& pty_path() const { return pty_path_; }

    void write(std::span<const uint8_t> data) override;
    bool write_whole(std::span<const uint8_t> data) override;
    bool hang_up() override;
    UniqueFd take_descriptor() override;
    void set_receiver(Receiver* receiver) override;
    void accept_input() override;

  private:
    explicit CharStream(EventLoop& loop);

    void connect(UniqueFd fd) WEFT_EXCLUDES(mutex_);
    void disconnect() WEFT_EXCLUDES(mutex_);
    void accept_client();
    void refuse_client();
    void watch_listener();
    bool write_kept() WEFT_REQUIRES(mutex_);
    void keep(std::span<const uint8_t> data) WEFT_REQUIRES(mutex_);
    void flush() WEFT_EXCLUDES(mutex_);
    void read_input();
    ssize_t read_some(int fd, std::span<uint8_t> buffer);
    void watch_gone(int fd);
    void read_rest();
    bool deliver_rest();
    void receive(std::span<const uint8_t> data);
    void watch_input();

    EventLoop& loop_;
    bool telnet_ = false;
    UniqueFd listener_;        // a server's
    UniqueFd spare_;           // a server's: given up to send a client away where there are no others
    bool refused_ = false;     // a client was sent away, which was said
    std::string unlink_path_;  // a listening unix socket's
    UniqueFd pty_other_end_;   // held open, so that the line does not hang up while nobody else has it
    std::string pty_path_;

    mutable Mutex mutex_;                  // a leaf
    UniqueFd fd_ WEFT_GUARDED_BY(mutex_);  // the connection; changed by the loop's thread alone
    std::vector<uint8_t> kept_ WEFT_GUARDED_BY(mutex_);
    bool broken_ WEFT_GUARDED_BY(mutex_) = false;  // the loop's thread is to disconnect: a write failed
    WorkQueue::Work flush_work_;
    std::unique_ptr<EventLoop::Watch> output_watch_;  // this and what follows: the loop's thread
    std::unique_ptr<EventLoop::Watch> input_watch_;
    std::unique_ptr<EventLoop::Watch> gone_watch_;  // while input waits
    std::unique_ptr<EventLoop::Watch> listen_watch_;
    std::vector<UniqueFd> descriptors_;  // that came last (SCM_RIGHTS, unix(7))
    Receiver* receiver_ = nullptr;
    TelnetInput telnet_input_;
    std::vector<uint8_t> rest_;  // input of clients that have gone, before that of the present one
    InputGate input_gate_;
    WorkQueue::Work input_work_;
};

}  // namespace weft::backend
