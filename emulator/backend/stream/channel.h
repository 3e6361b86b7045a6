// A way by which a saved machine goes to, or comes from, somewhere else: a file, a socket, a command's pipe.
//
// emulator/backend/stream holds those. The machine chooses one by the text that its user gave; they know no machine.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "base/event_fd.h"
#include "base/unique_fd.h"

namespace weft::backend {

// Used by one thread at a time, but for cancel(). Errors name the channel.
class Channel {
  public:
    // "file:PATH", "exec:COMMAND" (of the shell's), "unix:PATH", "tcp:HOST:PORT" and "fd:N". An output is connected, or a file made
    // anew; where an input is a socket, it is bound here, and waits for its peer when it is first read.
    static Result<std::unique_ptr<Channel>> open_output(const std::string& uri);
    static Result<std::unique_ptr<Channel>> open_input(const std::string& uri);
    // Whether the text has the form of one, without a look at what it names.
    static Result<> check(const std::string& uri);

    // Closes it, and ends a command that finish() has not waited for.
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    // All of the bytes; may block until cancel().
    Result<> write(std::span<const uint8_t> bytes);
    // Up to so many bytes, and at least one; 0: there are no more. May block until cancel().
    Result<size_t> read(std::span<uint8_t> bytes);
    // The output is complete: a file is on the disk, a command has ended, without a failure.
    Result<> finish();

    // What blocks fails, now and later. Any thread.
    void cancel() { cancelled_.signal(); }

  private:
    Channel(std::string name, EventFd cancelled) : name_(std::move(name)), cancelled_(std::move(cancelled)) {}
    static Result<std::unique_ptr<Channel>> open(const std::string& uri, bool output);
    Result<> open_file(const std::string& path, bool output);
    Result<> open_command(const std::string& command, bool output);
    Result<> open_socket(const std::string& kind, const std::string& address, bool output);
    Result<> open_number(const std::string& number);
    Result<> accept_peer();
    ssize_t write_some(std::span<const uint8_t> bytes);
    // Until the descriptor is ready; fails where it was cancelled.
    Result<> await(int fd, short events);
    Result<> wait_for_command();

    const std::string name_;
    const EventFd cancelled_;
    UniqueFd listener_;  // until there is a peer
    UniqueFd fd_;
    enum class Kind : uint8_t { own, shared, shared_socket };
    Kind kind_ = Kind::own;  // own: writing to it does not block, once it is ready
    pid_t command_ = 0;      // 0: none, or waited for
};

}  // namespace weft::backend
